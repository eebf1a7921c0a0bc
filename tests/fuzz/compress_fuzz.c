/* The first byte chooses the codec, the rest is inflated: never more comes out than is allowed, and
 * what comes out does so again. */
#include "base/check.h"
#include "base/crc32c.h"
#include "protocol/compress.h"

enum { OUTPUT_MAX = 4 << 20, RATIO_MAX = 50 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct compress_limits LIMITS = {.output_max = OUTPUT_MAX, .ratio_max = RATIO_MAX};
    if (size < 1) return 0;
    enum codec codec = (enum codec)(CODEC_GZIP + data[0] % (CODEC_COUNT - 1));
    struct bytes from = bytes_make(data + 1, size - 1), first, second;
    struct inflater *inflater = inflater_new();
    enum inflate_result result = inflater_run(inflater, codec, from, LIMITS, &first);
    check((result == INFLATE_DONE) == !bytes_is_null(first));
    check(first.len <= OUTPUT_MAX);
    check(first.len <= COMPRESS_RATIO_FREE || first.len <= from.len * RATIO_MAX);
    uint32_t crc = crc32c(first.at, first.len);
    size_t len = first.len;
    check(inflater_run(inflater, codec, from, LIMITS, &second) == result);
    check(second.len == len && crc32c(second.at, second.len) == crc);
    inflater_free(inflater);
    return 0;
}
