/* A client's connection in the programs that measure groups: one request under way at a time. It
 * speaks with the project's own codec, since the messages are too many to write by hand. Errors end
 * the program. */
#pragma once

#include "base/arena.h"
#include "protocol/api.h"

struct group_peer {
    int fd;
    bool waits;       /* for an answer */
    uint64_t sent_ns; /* when the request left that it waits for */
    enum api_key key;
    int version;
    uint8_t *in;
    size_t in_len, in_capacity;
};

void peer_open(struct group_peer *peer, const char *broker);
void peer_close(struct group_peer *peer);
/* `owner` is what epoll_wait() gives back when there is something to receive. */
void peer_watch(struct group_peer *peer, int epoll, void *owner);
/* Raises the limit on open files as far as it goes. */
void peers_allow_many(void);

void peer_send(struct group_peer *peer, enum api_key key, int version, const void *request,
               uint64_t now_ns);
/* Takes what has come; true when that is the whole answer, which then is decoded. */
bool peer_receive(struct group_peer *peer, struct arena *arena, void *response);
/* Sends, and waits for the answer. */
void peer_call(struct group_peer *peer, enum api_key key, int version, const void *request,
               struct arena *arena, void *response);

/* A topic that is there already is fine. */
void peer_create_topic(struct group_peer *peer, const char *name, int partitions);
/* Waits until the group's coordinator is known, which makes the topic of offsets. */
void peer_find_coordinator(struct group_peer *peer, const char *group);
