/* What start-up read back, until the stores take it over. Only storage/ includes this. */
#pragma once

#include "storage/journal_scan.h"
#include "storage/recover.h"
#include "storage/state.h"

struct recovered {
    struct data_directory *directory;
    struct shard **shards;      /* by id */
    struct journal_scan *scans; /* by core of the last life */
    unsigned scan_count;
    /* The journal in which each shard was last seen, plus one; 0 = in none. */
    uint16_t *seen_in;
    bool reset; /* everything is in snapshots and segments: journals begin anew */
    struct recover_report report;
    uint64_t started_ns;
};

/* The shard passes to the caller. */
struct shard *recovered_take_shard(struct recovered *recovered, uint32_t id);
/* The journal's files and sequence pass to the journal; none when that core is new. */
void recovered_take_journal(struct recovered *recovered, unsigned core, struct journal *journal);
