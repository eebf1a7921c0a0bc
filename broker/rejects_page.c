#include "broker/rejects_page.h"

#include "base/check.h"
#include "broker/chore.h"
#include "broker/errand.h"
#include "broker/server.h"
#include "config/quantity.h"
#include "protocol/record.h"
#include "registry/reject_print.h"

enum { READ_BYTES = 256 << 10 };

struct rejects_page {
    struct list link;
    struct rejects_pages *pages;
    struct http_exchange *exchange;
    struct bytes topic; /* null: all */
    bool newest;        /* the last ones are wanted */
    int64_t limit;
    int64_t offset, end;  /* to be looked at; -1: not known yet */
    int64_t looked_max;   /* offset that this page stops at */
    struct text *entries; /* a ring of `limit`: `count` from `first` on, oldest first, as JSON */
    int64_t first, count;
    size_t bytes; /* of their texts */
    bool full;
    enum error_code code;
    /* On its way to the shard's core and back. */
    struct errand errand;
    uint32_t partition_id;
    struct read read;
    struct byte_buffer batches;
    struct chore chore;
};

static void page_begin(struct rejects_pages *pages);

/* --- the answer --- */

static struct text *entry_at(struct rejects_page *page, int64_t index) {
    return &page->entries[(page->first + index) % page->limit];
}

static void entry_drop_first(struct rejects_page *page) {
    struct text *entry = entry_at(page, 0);
    check(page->count > 0);
    page->bytes -= entry->len;
    text_deinit(entry);
    page->first = (page->first + 1) % page->limit;
    page->count--;
}

static void page_free(struct rejects_page *page) {
    while (page->count > 0) entry_drop_first(page);
    free(page->entries);
    byte_buffer_deinit(&page->batches);
    free(page);
}

static void page_print(struct rejects_page *page, struct text *text) {
    text_printf(text, "{\"rejects\": [");
    for (int64_t i = 0; i < page->count; i++) {
        if (i > 0) text_printf(text, ",\n");
        text_append(text, text_bytes(entry_at(page, page->newest ? page->count - 1 - i : i)));
    }
    text_printf(text, "], \"next\": %lld}\n", (long long)page->offset);
}

static void page_end(struct rejects_page *page) {
    struct rejects_pages *pages = page->pages;
    struct text text = {0};
    pages->current = NULL;
    if (page->code) {
        http_answer_error(page->exchange, 500, 500, "The rejects cannot be read: %s",
                          error_code_message((int16_t)page->code));
    } else {
        page_print(page, &text);
        http_answer(page->exchange, 200, "application/json", text_bytes(&text));
    }
    text_deinit(&text);
    page_free(page);
    page_begin(pages);
}

/* --- on a worker --- */

/* Whoever reaches the listener may see all of it, as there are no accounts yet. With them it is the
 * right to read the topic that the batch was for, and its place is here. */
static bool may_see(const struct rejects_page *page, struct bytes topic) {
    (void)page;
    (void)topic;
    return true;
}

static bool page_is_full(const struct rejects_page *page) {
    return page->count >= page->limit || page->bytes >= REJECTS_PAGE_BYTES;
}

/* Of the newest, those before make room. */
static void entry_add(struct rejects_page *page, const struct reject *reject, int64_t offset) {
    while (page_is_full(page)) entry_drop_first(page);
    struct text *entry = entry_at(page, page->count++);
    reject_print_json(reject, offset, entry);
    page->bytes += entry->len;
    page->full = !page->newest && page_is_full(page);
}

/* What somebody else may have written there is passed over. */
static void record_look(struct rejects_page *page, const struct record *record, int64_t offset) {
    struct reject reject;
    if (offset < page->offset || offset >= page->looked_max || page->full) return;
    page->offset = offset + 1;
    if (bytes_is_null(record->value) || !reject_read(record->value, &reject)) return;
    if (!bytes_is_null(page->topic) && !bytes_equal(page->topic, reject.topic)) return;
    if (may_see(page, reject.topic)) entry_add(page, &reject, offset);
}

static void batch_look(struct rejects_page *page, struct bytes batch,
                       const struct batch_header *header) {
    struct record record;
    struct bytes records = batch_records(batch);
    if (batch_codec(header) != CODEC_NONE) records.len = 0;
    while (record_next(&records, &record) == RECORD_READ)
        record_look(page, &record, header->base_offset + record.offset_delta);
    int64_t end = batch_last_offset(header) + 1;
    if (end > page->looked_max) end = page->looked_max;
    if (!page->full && page->offset < end) page->offset = end;
}

static void page_decode(struct chore *chore) {
    struct rejects_page *page = container_of(chore, struct rejects_page, chore);
    struct bytes rest = byte_buffer_bytes(&page->batches);
    struct batch_header header;
    int64_t before = page->offset;
    while (rest.len > 0 && batch_header_read(rest, &header) && batch_size(&header) <= rest.len) {
        size_t size = batch_size(&header);
        batch_look(page, bytes_make(rest.at, size), &header);
        rest = bytes_make(rest.at + size, rest.len - size);
    }
    if (page->offset == before) page->code = ERROR_CORRUPT_MESSAGE;
}

/* --- on the shard's core --- */

static void page_take(struct rejects_page *page) {
    const struct read *read = &page->read;
    page->code = read->code;
    for (int32_t i = 0; !read->code && i < read->piece_count; i++)
        byte_buffer_append(&page->batches, read->pieces[i]);
    read_release(&page->read);
    errand_return(&page->errand);
}

static void page_read_done(struct read *read) {
    page_take(container_of(read, struct rejects_page, read));
}

/* Old ones may go at any time. */
static void page_place(struct rejects_page *page, const struct partition_view *view) {
    if (page->end < 0) {
        page->end = view->high_watermark;
        int64_t looked = bytes_is_null(page->topic) ? page->limit : REJECTS_PAGE_LOOKED_MAX;
        if (page->newest) page->offset = page->end - looked;
    }
    if (page->offset > page->end) page->offset = page->end;
    if (page->offset < view->log_start_offset) page->offset = view->log_start_offset;
    if (page->looked_max >= 0) return;
    page->looked_max = page->offset + REJECTS_PAGE_LOOKED_MAX;
    if (page->looked_max > page->end) page->looked_max = page->end;
}

static void page_look(struct errand *errand, struct core *there) {
    struct rejects_page *page = container_of(errand, struct rejects_page, errand);
    struct partition *partition = store_find_partition(there->store, page->partition_id);
    struct partition_view view = {.code = ERROR_UNKNOWN_TOPIC_OR_PARTITION};
    page->batches.len = 0;
    if (partition) partition_look(partition, -1, -1, &view);
    /* Made or deleted at this moment: then there is nothing in it. */
    page->code = partition ? view.code : ERROR_NONE;
    if (partition && !page->code) page_place(page, &view);
    if (!partition || page->code || page->offset >= page->looked_max) {
        errand_return(errand);
        return;
    }
    page->read = (struct read){.offset = page->offset,
                               .bytes_max = READ_BYTES,
                               .minimum_one = true,
                               .done = page_read_done};
    if (partition_read(partition, &page->read)) page_take(page);
}

/* --- on the first core --- */

static void page_step(struct rejects_page *page);

static void page_decoded(struct chore *chore) {
    struct rejects_page *page = container_of(chore, struct rejects_page, chore);
    if (page->code || page->full || page->offset >= page->looked_max)
        page_end(page);
    else
        page_step(page);
}

/* Nothing was read: an error, or the end. */
static void page_back(struct errand *errand) {
    struct rejects_page *page = container_of(errand, struct rejects_page, errand);
    if (page->code || page->batches.len == 0) {
        page_end(page);
        return;
    }
    page->chore.run = page_decode;
    page->chore.done = page_decoded;
    chore_begin(&page->chore, page->pages->core);
}

static void page_step(struct rejects_page *page) {
    struct core *core = page->pages->core;
    const struct catalog_topic *topic = catalog_find_topic(&core->catalog, BYTES_OF(REJECTS_TOPIC));
    if (!topic) { /* it comes with the first reject */
        page->offset = page->offset > 0 ? page->offset : 0;
        page_end(page);
        return;
    }
    page->partition_id = topic->partitions[0].id;
    page->errand.run = page_look;
    page->errand.back = page_back;
    errand_send(&page->errand, core, core_of_shard(core->server, topic->partitions[0].shard));
}

static void page_begin(struct rejects_pages *pages) {
    if (pages->current || list_is_empty(&pages->waiting)) return;
    struct list *node = list_first(&pages->waiting);
    list_remove(node);
    pages->current = list_entry(node, struct rejects_page, link);
    page_step(pages->current);
}

/* --- the request --- */

/* False: it is no number. Missing, it stays as it is. */
static bool parameter(struct http_exchange *exchange, const char *name, int64_t *number) {
    struct bytes value;
    if (!uri_parameter(&exchange->arena, exchange->request->query, name, 0, &value)) return true;
    return number_parse_plain(arena_text(&exchange->arena, value), number) && *number >= 0;
}

void rejects_pages_init(struct rejects_pages *pages, struct core *core) {
    *pages = (struct rejects_pages){.core = core};
    list_init(&pages->waiting);
}

void rejects_pages_answer(struct rejects_pages *pages, struct http_exchange *exchange) {
    int64_t limit = REJECTS_PAGE_LIMIT, offset = -1;
    if (!parameter(exchange, "limit", &limit) || !parameter(exchange, "offset", &offset) ||
        limit == 0 || limit > REJECTS_PAGE_LIMIT_MAX) {
        http_answer_error(exchange, 422, 42210, "limit is a number from 1 to %d, offset one from 0",
                          REJECTS_PAGE_LIMIT_MAX);
        return;
    }
    struct rejects_page *page = new_zero(struct rejects_page);
    page->pages = pages;
    page->exchange = exchange;
    page->topic = exchange->part_count > 0 ? exchange->parts[0] : BYTES_NULL;
    page->limit = limit;
    page->newest = offset < 0;
    page->offset = offset;
    page->end = page->looked_max = -1;
    page->entries = (struct text *)memory_zero((size_t)limit, sizeof *page->entries);
    list_append(&pages->waiting, &page->link);
    page_begin(pages);
}
