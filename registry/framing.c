#include "registry/framing.h"

#include "protocol/record.h"
#include "protocol/varint.h"

enum { MAGIC_ID = 0, MAGIC_GUID = 1 };

static bool fail(const char **problem, const char *text) {
    *problem = text;
    return false;
}

bool framing_take_schema(struct bytes *rest, struct framed *framed, const char **problem) {
    if (rest->len == 0) return fail(problem, "empty: no schema id");
    uint8_t magic = rest->at[0];
    size_t size = magic == MAGIC_ID ? 4 : FRAMING_GUID_SIZE;
    if (magic > MAGIC_GUID) {
        return fail(problem,
                    "no schema id: the first byte is neither 0 (an id follows) nor 1 (a "
                    "GUID follows); was it written without a serializer?");
    }
    if (rest->len < 1 + size) return fail(problem, "cut off inside the schema id");
    framed->form = magic == MAGIC_ID ? FRAMING_ID : FRAMING_GUID;
    if (magic == MAGIC_ID)
        framed->id = load_u32(rest->at + 1);
    else
        memcpy(framed->guid, rest->at + 1, size);
    *rest = bytes_make(rest->at + 1 + size, rest->len - 1 - size);
    return true;
}

bool framing_take_path(struct bytes *rest, struct framed *framed, const char **problem) {
    int32_t count;
    if (!varint_take_i32(rest, &count)) {
        return fail(problem,
                    "no message indexes behind the schema id (kafkajs' registry client "
                    "writes none)");
    }
    framed->path[0] = 0;
    framed->path_length = 1;
    if (count == 0) return true;
    if (count < 0) {
        return fail(problem,
                    "negative count of message indexes (Python clients before 2021 wrote "
                    "unsigned varints)");
    }
    if (count > FRAMING_PATH_MAX) return fail(problem, "too many message indexes");
    framed->path_length = (size_t)count;
    for (size_t i = 0; i < framed->path_length; i++) {
        if (!varint_take_i32(rest, &framed->path[i]))
            return fail(problem, "cut off inside the message indexes");
        if (framed->path[i] < 0) return fail(problem, "negative message index");
    }
    return true;
}

bool framing_read_prefix(struct bytes value, struct framed *framed, const char **problem) {
    if (!framing_take_schema(&value, framed, problem) ||
        !framing_take_path(&value, framed, problem))
        return false;
    framed->payload = value;
    return true;
}

struct bytes framing_find_header(struct bytes headers, const char *name) {
    struct record_header header;
    struct bytes found = BYTES_NULL;
    while (record_header_next(&headers, &header)) {
        if (bytes_equal_text(header.key, name)) found = header.value;
    }
    return found;
}
