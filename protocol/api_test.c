#include "protocol/api.h"

#include <criterion/criterion.h>

#include "base/memory.h"
#include "protocol/error_code.h"
#include "protocol/header.h"

Test(api, rows_are_in_order_and_point_to_their_messages) {
    for (int32_t i = 0; i < api_count; i++) {
        const struct api *api = &api_table[i];
        cr_assert(i == 0 || api_table[i - 1].key < api->key);
        cr_assert_eq(api_find((int16_t)api->key), api);
        cr_assert_eq(api->request->key, (int)api->key, "%s", api->name);
        cr_assert_eq(api->response->key, (int)api->key, "%s", api->name);
        cr_assert_eq(api->request->flexible_version, api->response->flexible_version);
        cr_assert(strstr(api->request->name, "_request"));
        cr_assert(strstr(api->response->name, "_response"));
        for (int version = api->min_version; version <= api->max_version; version++) {
            bool decoded = api->key != API_PRODUCE || version >= 3;
            cr_assert_eq(api_has_version(api, version), decoded, "%s v%d", api->name, version);
        }
        cr_assert(!api_has_version(api, api->max_version + 1));
        cr_assert(!api_has_version(api, api->min_version - 1));
    }
}

Test(api, unknown_keys_are_not_found) {
    cr_assert_null(api_find(-1));
    cr_assert_null(api_find(4));
    cr_assert_null(api_find(32767));
}

Test(api, header_versions) {
    const struct api *produce = api_find(API_PRODUCE), *hello = api_find(API_API_VERSIONS);
    cr_assert_eq(api_request_header_version(produce, 8), 1);
    cr_assert_eq(api_request_header_version(produce, 9), 2);
    cr_assert_eq(api_response_header_version(produce, 8), 0);
    cr_assert_eq(api_response_header_version(produce, 9), 1);
    cr_assert_eq(api_request_header_version(hello, 3), 2);
    cr_assert_eq(api_response_header_version(hello, 4), 0);
}

Test(api, the_table_prints) {
    struct text text = {0};
    api_print_markdown(&text);
    cr_assert(strstr(text.at, "| 0 | Produce | 0-13 | 9 |\n"), "%s", text.at);
    cr_assert(strstr(text.at, "| 46 | ListPartitionReassignments | 0 | 0 |\n"));
    text_deinit(&text);
}

Test(error_code, numbers_have_no_gaps) {
#define X(number, name, retriable, message) number,
    static const int numbers[] = {ERROR_CODES(X)};
#undef X
    for (size_t i = 0; i < array_count(numbers); i++) cr_assert_eq(numbers[i], (int)i - 1);
}

Test(error_code, names_and_messages) {
    cr_assert_str_eq(error_code_name(ERROR_NONE), "NONE");
    cr_assert_str_eq(error_code_name(ERROR_INVALID_RECORD), "INVALID_RECORD");
    cr_assert_eq(ERROR_INVALID_RECORD, 87);
    cr_assert_eq(ERROR_REBOOTSTRAP_REQUIRED, 129);
    cr_assert_str_eq(error_code_name(999), "UNKNOWN_SERVER_ERROR");
    cr_assert_str_eq(error_code_name(-1), "UNKNOWN_SERVER_ERROR");
    cr_assert_str_eq(error_code_name(-2), "UNKNOWN_SERVER_ERROR");
    cr_assert(error_code_is_retriable(ERROR_KAFKA_STORAGE_ERROR));
    cr_assert(!error_code_is_retriable(ERROR_MESSAGE_TOO_LARGE));
    cr_assert_gt(strlen(error_code_message(ERROR_NONE)), 0);
}
