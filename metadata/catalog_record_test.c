#include "metadata/catalog_record.h"

#include <criterion/criterion.h>

#include "proto/metadata.pb-c.h"

/* The values of the only record in the batch that was made. */
static struct bytes only_value(const struct byte_buffer *batch) {
    struct bytes records = batch_records(byte_buffer_bytes(batch));
    struct record record;
    cr_assert(record_next(&records, &record) == RECORD_READ);
    cr_assert(record_next(&records, &(struct record){0}) == RECORD_END);
    return record.value;
}

Test(catalog_record, a_topic_comes_back) {
    struct change_records records;
    struct byte_buffer batch = {0};
    struct uuid id;
    uuid_make(&id);
    change_records_init(&records, 1234);
    cr_assert(change_records_count(&records) == 0);
    change_records_topic(&records, &id, "orders", true);
    cr_assert(change_records_count(&records) == 1);
    change_records_finish(&records, &batch);
    cr_assert(batch_crc_valid(byte_buffer_bytes(&batch)));

    struct error error;
    Metadata__CatalogRecord *record = catalog_record_decode(only_value(&batch), &error);
    cr_assert(record && record->kind_case == METADATA__CATALOG_RECORD__KIND_TOPIC);
    cr_assert_str_eq(record->topic->name, "orders");
    cr_assert(record->topic->internal);
    struct uuid back;
    cr_assert(catalog_record_id(bytes_make(record->topic->id.data, record->topic->id.len), &back));
    cr_assert(uuid_equal(&back, &id));
    catalog_record_free(record);
    byte_buffer_deinit(&batch);
    change_records_deinit(&records);
}

Test(catalog_record, an_unknown_kind_asks_for_a_newer_version) {
    /* field 15, a string of one byte */
    static const uint8_t newer[] = {0x7a, 0x01, 'x'};
    struct error error;
    cr_assert_null(catalog_record_decode(bytes_make(newer, sizeof newer), &error));
    cr_assert(strstr(error.text, "kind 15") && strstr(error.text, "newer version"));
}

Test(catalog_record, a_higher_format_asks_for_a_newer_version) {
    static const uint8_t newer[] = {0x0a, 0x05, 0x08, 0x09, 0x12, 0x01, '9'};
    struct error error;
    cr_assert_null(catalog_record_decode(bytes_make(newer, sizeof newer), &error));
    cr_assert(strstr(error.text, "millrace 9") && strstr(error.text, "format 9"));
}

Test(catalog_record, damage_and_null_are_refused) {
    static const uint8_t damaged[] = {0x1a, 0x50, 0x00};
    struct error error;
    cr_assert_null(catalog_record_decode(bytes_make(damaged, sizeof damaged), &error));
    cr_assert_null(catalog_record_decode(BYTES_NULL, &error));
    cr_assert_null(catalog_record_decode(bytes_make("", 0), &error));
    struct uuid id;
    cr_assert(!catalog_record_id(bytes_make("0123456789", 10), &id));
}

Test(catalog_record, a_null_value_removes) {
    struct change_records records;
    struct byte_buffer batch = {0};
    struct error error;
    change_records_init(&records, 0);
    change_records_broker_config(&records, "log.retention.ms", NULL);
    change_records_finish(&records, &batch);
    Metadata__CatalogRecord *record = catalog_record_decode(only_value(&batch), &error);
    cr_assert(record && record->broker_config->remove);
    catalog_record_free(record);
    byte_buffer_deinit(&batch);
    change_records_deinit(&records);
}
