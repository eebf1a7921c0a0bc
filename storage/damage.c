#include "storage/damage.h"

const char *damage_text(enum damage damage) {
    static const char *const texts[DAMAGE_KINDS] = {
        [DAMAGE_NONE] = "nothing is wrong with it",
        [DAMAGE_JOURNAL] = "a part of the journal that may hold its records cannot be read",
        [DAMAGE_SNAPSHOT] = "the snapshot of its shard cannot be read",
        [DAMAGE_SEGMENT] = "its newest segment file is missing, or is not its own",
        [DAMAGE_MISFIT] = "the journal does not go on where its log ends",
    };
    return texts[damage];
}
