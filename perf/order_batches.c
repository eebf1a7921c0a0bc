/* Batches of orders for the load generator (load --payloads): each record is a message shop.Order
 * of about 145 random bytes behind a schema id, as serializers write it.
 *
 *   order_batches schema                              the .proto text to register
 *   order_batches CODEC BATCH_BYTES COUNT ID [KEYS]   COUNT batches, one behind the other; with
 *                                                     KEYS, each record has one of so many keys
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "perf/payloads.h"
#include "protocol/batch_build.h"
#include "protocol/compress.h"

static void record_add(struct batch_build *build, uint32_t schema_id, uint64_t keys,
                       struct random *random) {
    struct byte_buffer value = {0};
    char key[32];
    int key_len = keys ? snprintf(key, sizeof key, "order-%llu",
                                  (unsigned long long)random_below(random, keys))
                       : 0;
    uint8_t prefix[6] = {0};
    store_u32(prefix + 1, schema_id);
    byte_buffer_append(&value, bytes_make(prefix, sizeof prefix));
    payload_order(&value, random);
    batch_build_add(build, 0, keys ? bytes_make(key, (size_t)key_len) : BYTES_NULL,
                    byte_buffer_bytes(&value), NULL, 0);
    byte_buffer_deinit(&value);
}

int main(int argc, char **argv) {
    struct batch_build build;
    struct byte_buffer out = {0};
    struct random random;
    struct error error;
    if (argc == 2 && strcmp(argv[1], "schema") == 0) return fputs(payload_schema, stdout) < 0;
    if (argc < 5 || argc > 6 || codec_named(bytes_of_text(argv[1])) == CODEC_COUNT) {
        fputs("usage: order_batches schema | CODEC BATCH_BYTES COUNT ID [KEYS]\n", stderr);
        return 2;
    }
    uint64_t keys = argc == 6 ? strtoull(argv[5], NULL, 10) : 0;
    random_init(&random, 1);
    batch_build_init(&build);
    for (long count = atol(argv[3]); count > 0; count--) {
        batch_build_restart(&build);
        do {
            record_add(&build, (uint32_t)atol(argv[4]), keys, &random);
        } while (batch_build_size(&build) < (size_t)atol(argv[2]));
        check(batch_build_finish(&build, codec_named(bytes_of_text(argv[1])), &out, &error));
    }
    bool good = fwrite(out.at, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    batch_build_deinit(&build);
    byte_buffer_deinit(&out);
    return good ? 0 : 1;
}
