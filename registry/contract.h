/* A schema compiled for one purpose: to say at the speed of the line whether bytes are a valid
 * message of it, and if not, exactly why.
 *
 * The checker walks the wire format with tables, without allocation and without recursion, and
 * reads nothing but its input. It refuses what a parser would refuse (truncated or overlong
 * varints, lengths past the end, wire types 6 and 7, field 0, groups that do not match, more than
 * CONTRACT_NESTING_MAX levels, missing required fields, strings of proto3 that are not UTF-8), and
 * on purpose a little more, where parsers silently lose data:
 *   - a field that is known with another wire type (packed and unpacked are both fine);
 *   - a value that a closed (proto2) enum does not have;
 *   - a required field has to be in each occurrence of its message: occurrences are not merged
 * first;
 *   - on demand, unknown fields (numbers inside extension ranges are not unknown).
 *
 * A contract is immutable once it is made: any number of threads may check with it. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { CONTRACT_NESTING_MAX = 100, CONTRACT_PATHS_MAX = 2 };

struct contract;
struct descriptor_set;

struct violation {
    size_t position;  /* in the payload */
    char path[256];   /* "Order.items[3].qty" */
    char reason[128]; /* "expected varint, found 2 bytes length-delimited" */
};

/* Compiles all messages of a linked set; nothing of it is needed afterwards. NULL with the error
 * when the tables would be too large. Free with contract_free(). */
struct contract *contract_new(const struct descriptor_set *set, struct error *error);
void contract_free(struct contract *contract);

/* Finds a message of any file by full name. */
bool contract_find(const struct contract *contract, struct bytes full_name, uint32_t *message);
struct bytes contract_message_name(const struct contract *contract, uint32_t message);
/* The schema's top-level messages, to be found when no name is given. */
size_t contract_top_count(const struct contract *contract);

/* Follows an index path through the schema's own file. Some clients count the synthetic messages of
 * map fields and some do not, so that a path may name two messages; returns how many. */
size_t contract_resolve(const struct contract *contract, const int32_t *path, size_t length,
                        uint32_t messages[CONTRACT_PATHS_MAX]);

/* True when `payload` is a valid `message`. Otherwise the violation says where and why. */
bool contract_check(const struct contract *contract, uint32_t message, struct bytes payload,
                    bool reject_unknown, struct violation *violation);
