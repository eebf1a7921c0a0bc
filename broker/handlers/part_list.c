#include "broker/handlers/part_list.h"

#include "base/check.h"

void part_list_init(struct part_list *list, struct request *request, const void *response,
                    size_t item_size, int32_t most) {
    request->state = list;
    *list = (struct part_list){.response = response, .item_size = item_size, .most = most};
    list->parts.request = request;
    list->items = arena_zero(&request->arena, (size_t)most, item_size);
}

struct part_item *part_list_at(const struct part_list *list, int32_t i) {
    check(i >= 0 && i < list->count);
    return (struct part_item *)((char *)list->items + (size_t)i * list->item_size);
}

void *part_list_add(struct part_list *list, int16_t *answer) {
    check(list->count < list->most);
    list->count++;
    struct part_item *item = part_list_at(list, list->count - 1);
    item->answer = answer;
    return item;
}

static void part_list_answer(struct request *request) {
    const struct part_list *list = request->state;
    for (int32_t i = 0; i < list->count; i++) {
        const struct part_item *item = part_list_at(list, i);
        *item->answer = (int16_t)item->part.code;
    }
    request_answer_large(request, list->response);
}

void part_list_begin(struct part_list *list) {
    parts_begin(&list->parts, list->parts.request, part_list_answer);
}

void part_list_end(struct part_list *list) { parts_end(&list->parts); }

void part_list_run(struct part_list *list,
                   void (*run)(struct part *part, struct partition *partition)) {
    part_list_begin(list);
    for (int32_t i = 0; i < list->count; i++) {
        struct part *part = &part_list_at(list, i)->part;
        if (part->code == ERROR_NONE) part_send(&list->parts, part, run);
    }
    part_list_end(list);
}
