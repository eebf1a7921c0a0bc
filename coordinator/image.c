/* The image: the state's records written again at the end of the log, so that what lies before can
 * be trimmed and a start reads little, however long the history is. It is written piece by piece,
 * one piece under way at a time, between the calls that go on; what they change meanwhile is in the
 * log behind the image's beginning, so that the log from there on always makes the whole state.
 *
 *   NONE ─► WRITING ─► WRITTEN (waits until it is durable) ─► TRIMMING ─► NONE
 *
 * A crash before the trim is durable leaves old records, image and new ones, which replay to the
 * same state. An image can wait, also in the middle: it takes no space that is short. */
#include "base/check.h"
#include "base/say.h"
#include "coordinator/runtime.h"

enum { IMAGE_FACTOR = 4 };

/* The state is measured only when the log has grown past what was due by the last measure. */
static bool image_is_due(struct coordinator *coordinator) {
    struct image *image = &coordinator->image;
    if (image->due_bytes == 0) image->due_bytes = COORDINATOR_LOG_BYTES;
    if (coordinator->log_bytes <= image->due_bytes) return false;
    uint64_t due = IMAGE_FACTOR * (uint64_t)coordinator->kind->image_bytes(coordinator->state);
    image->due_bytes = due > COORDINATOR_LOG_BYTES ? due : COORDINATOR_LOG_BYTES;
    return coordinator->log_bytes > image->due_bytes;
}

static void image_begin(struct coordinator *coordinator) {
    struct image *image = &coordinator->image;
    log_flush(coordinator);
    image->stage = IMAGE_WRITING;
    image->begin = image->end = coordinator->appended_end;
    image->log_bytes = coordinator->log_bytes;
    coordinator->kind->image_begin(coordinator->state);
}

static void image_step(struct coordinator *coordinator) {
    struct image *image = &coordinator->image;
    coordinator_enter(coordinator);
    bool more = coordinator->kind->image_step(coordinator->state);
    coordinator_leave(coordinator);
    log_flush(coordinator);
    image->end = coordinator->appended_end;
    if (!more) image->stage = IMAGE_WRITTEN;
}

static bool image_may_step(const struct coordinator *coordinator) {
    const struct image *image = &coordinator->image;
    return coordinator->status == COORDINATOR_ACTIVE && image->stage == IMAGE_WRITING &&
           coordinator->durable_end >= image->end && coordinator_may_write(coordinator) &&
           partition_has_space(coordinator->log);
}

static void on_trimmed(struct trim *trim) {
    struct coordinator *coordinator = container_of(trim, struct coordinator, image.trim);
    struct image *image = &coordinator->image;
    image->stage = IMAGE_NONE;
    if (trim->code) {
        say_warning("%s: the log of partition %u could not be shortened: %s",
                    coordinator->kind->name, (unsigned)partition_id(coordinator->log),
                    error_code_message((int16_t)trim->code));
        return;
    }
    coordinator->log_bytes -= image->log_bytes;
}

static void image_trim(struct coordinator *coordinator) {
    struct image *image = &coordinator->image;
    image->stage = IMAGE_TRIMMING;
    image->trim = (struct trim){.offset = image->begin, .done = on_trimmed};
    list_init(&image->trim.link);
    if (partition_trim(coordinator->log, &image->trim)) on_trimmed(&image->trim);
}

void image_advance(struct coordinator *coordinator) {
    struct image *image = &coordinator->image;
    if (coordinator->status != COORDINATOR_ACTIVE) return;
    if (image->stage == IMAGE_NONE && image_is_due(coordinator)) image_begin(coordinator);
    while (image_may_step(coordinator)) image_step(coordinator);
    if (coordinator->status == COORDINATOR_ACTIVE && image->stage == IMAGE_WRITTEN &&
        coordinator->durable_end >= image->end)
        image_trim(coordinator);
}

bool image_is_busy(const struct coordinator *coordinator) {
    return coordinator->image.stage == IMAGE_TRIMMING;
}
