/* The name of a file in the data directory: what is read as ours is exactly the name that we give.
 */
#include "base/check.h"
#include "base/memory.h"
#include "storage/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[LAYOUT_PATH_SIZE], *name = memory_new(size + 1);
    uint32_t first, second, third;
    memcpy(name, data, size);
    name[size] = '\0';
    if (layout_journal_parse(name, &first, &second)) {
        layout_journal(path, first, second);
        check(strcmp(path + sizeof LAYOUT_JOURNALS, name) == 0);
    }
    if (layout_segment_parse(name, &first, &second, &third)) {
        layout_segment(path, first, second, third);
        check(strcmp(path + sizeof LAYOUT_SEGMENTS, name) == 0);
    }
    free(name);
    return 0;
}
