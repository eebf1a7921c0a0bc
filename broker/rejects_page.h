/* What is in __millrace_rejects, a page at a time, for HTTP: GET /rejects and GET /rejects/{topic}
 * of the registry's listener. Not of the admin listener: that is open to scrapers, and here is told
 * who sends what.
 *
 *   first core                          core of the topic's shard
 *   ask ─► in line ─► errand ─────────► look, read, copy, release
 *            chore: decode, print  ◄─── errand returns
 *              │ └─ not full, and not at the end: the next errand
 *   answer ◄───┘
 *
 * One page at a time is made, so that what pages hold of memory is bounded by one page; each is
 * bounded in rejects, in bytes and in records that are looked at. */
#pragma once

#include "http/service.h"

struct core;
struct rejects_page;

enum {
    REJECTS_PAGE_LIMIT = 100, /* rejects, unless `limit` says otherwise */
    REJECTS_PAGE_LIMIT_MAX = 1000,
    REJECTS_PAGE_BYTES = 1 << 20,
    REJECTS_PAGE_LOOKED_MAX = 10000, /* records */
};

/* Belongs to the first core. */
struct rejects_pages {
    struct core *core;
    struct list waiting;          /* struct rejects_page */
    struct rejects_page *current; /* NULL: none */
};

void rejects_pages_init(struct rejects_pages *pages, struct core *core);
/* Answers the exchange, now or later:
 *   limit=N   at most so many
 *   offset=N  those from there on, oldest first; without it the newest, newest first
 * {"rejects": [...], "next": the offset to go on from} */
void rejects_pages_answer(struct rejects_pages *pages, struct http_exchange *exchange);
