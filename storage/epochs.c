#include "storage/epochs.h"

#include "base/check.h"

enum { COUNT_BYTES = 4, ITEM_BYTES = 12 };

void epochs_deinit(struct epochs *epochs) {
    free(epochs->items);
    *epochs = (struct epochs){0};
}

static void epochs_push(struct epochs *epochs, struct epoch_start item) {
    epochs->items = memory_resize(epochs->items, (epochs->count + 1) * sizeof *epochs->items);
    epochs->items[epochs->count++] = item;
}

void epochs_begin(struct epochs *epochs, int32_t before, int32_t epoch, int64_t offset) {
    check(epoch > before);
    if (epochs->count == 0) epochs_push(epochs, (struct epoch_start){before, 0});
    /* Epochs that would hold nothing any more are gone with what they held. */
    while (epochs->count > 1 && epochs->items[epochs->count - 1].offset >= offset) epochs->count--;
    epochs_push(epochs, (struct epoch_start){epoch, offset});
}

void epochs_end(const struct epochs *epochs, int32_t current, int64_t log_end, int32_t asked,
                int32_t *epoch, int64_t *end_offset) {
    *epoch = -1;
    *end_offset = -1;
    if (asked < 0 || asked > current) return;
    uint32_t higher = 0; /* the first that is larger */
    while (higher < epochs->count && epochs->items[higher].epoch <= asked) higher++;
    if (asked == current || higher == epochs->count) {
        if (asked != current && epochs->count == 0) return;
        *epoch = asked == current ? asked : epochs->items[epochs->count - 1].epoch;
        *end_offset = log_end;
        return;
    }
    *epoch = higher ? epochs->items[higher - 1].epoch : asked;
    *end_offset = epochs->items[higher].offset;
}

void epochs_encode(const struct epochs *epochs, struct byte_buffer *out) {
    uint8_t *at = byte_buffer_reserve(out, COUNT_BYTES + epochs->count * ITEM_BYTES);
    store_u32(at, epochs->count);
    at += COUNT_BYTES;
    for (uint32_t item = 0; item < epochs->count; item++, at += ITEM_BYTES) {
        store_i32(at, epochs->items[item].epoch);
        store_i64(at + 4, epochs->items[item].offset);
    }
    out->len += COUNT_BYTES + epochs->count * ITEM_BYTES;
}

bool epochs_decode(struct epochs *epochs, struct bytes *from) {
    if (from->len < COUNT_BYTES) return false;
    uint32_t count = load_u32(from->at);
    if (count > (from->len - COUNT_BYTES) / ITEM_BYTES) return false;
    const uint8_t *at = from->at + COUNT_BYTES;
    for (uint32_t item = 0; item < count; item++, at += ITEM_BYTES) {
        struct epoch_start next = {load_i32(at), load_i64(at + 4)};
        const struct epoch_start *last = item ? &epochs->items[item - 1] : NULL;
        if (next.epoch < 0 || next.offset < 0 ||
            (last && (next.epoch <= last->epoch || next.offset < last->offset)))
            return false;
        epochs_push(epochs, next);
    }
    *from = bytes_make(at, from->len - COUNT_BYTES - count * ITEM_BYTES);
    return true;
}
