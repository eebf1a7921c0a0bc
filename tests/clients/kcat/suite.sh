#!/usr/bin/env bash
# kcat: metadata, producing with every codec, reading by partition, offsets by time.
# It has no admin calls, so topics come from auto-creation and the admin checks are skipped.
set -u
broker=$MILLRACE_BOOTSTRAP
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# check NAME COMMAND…: one line per check; what the command printed last says why it failed.
check() {
    local name=$1
    shift
    if "$@" >"$work/why" 2>&1; then
        echo "ok $name"
    else
        failures=$((failures + 1))
        echo "not ok $name: $(tail -n 5 "$work/why" | tr '\n' ' ')"
    fi
}

k() { timeout 30 kcat -b "$broker" "$@"; }

same() {
    cmp -- "$1" "$2" && return
    diff -a -- "$1" "$2" | head -n 5
    return 1
}

# refused TEXT COMMAND…: the command fails and says TEXT.
refused() {
    local text=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "not refused: $(head -c 300 "$work/out")"
        return 1
    fi
    grep -q -- "$text" "$work/out" || { cat "$work/out"; return 1; }
}

metadata() { k -L -J | grep -q '"brokers":\[{"id":' || { k -L -J; return 1; }; }

make_topic() {
    k -L -t kcat-unknown -X allow.auto.create.topics=false >"$work/unknown"
    grep -q 'topic "kcat-unknown" with 0 partitions: Broker: Unknown topic' "$work/unknown" ||
        { cat "$work/unknown"; return 1; }
    echo first | k -P -t kcat-topic && k -L -t kcat-topic | grep -q 'with 1 partitions'
}

# Keys, values, a NULL value (-Z turns an empty one into it) and headers.
produce_codec() {
    seq 1 200 | sed "s/.*/&:value & of $1, value & of $1/" >"$work/in"
    k -P -t "kcat-$1" -p 0 -K: -z "$1" -H "codec=$1" -H empty= <"$work/in" || return 1
    k -C -t "kcat-$1" -p 0 -o beginning -e -q -K: >"$work/out" || return 1
    same "$work/in" "$work/out" || return 1
    k -C -t "kcat-$1" -p 0 -o 7 -c 1 -q -f '%h %o' >"$work/out" || return 1
    grep -qx "codec=$1,empty= 7" "$work/out" || { cat "$work/out"; return 1; }
}

produce_idempotent() {
    seq 1 5000 >"$work/in"
    k -P -t kcat-idempotent -p 0 -X enable.idempotence=true -X batch.num.messages=50 \
        <"$work/in" || return 1
    k -C -t kcat-idempotent -p 0 -o beginning -e -q >"$work/out" || return 1
    same "$work/in" "$work/out"
}

produce_binary() {
    head -c 200000 /dev/urandom >"$work/in"
    k -P -t kcat-binary -p 0 "$work/in" || return 1
    k -C -t kcat-binary -p 0 -o beginning -e -q -D '' >"$work/out" || return 1
    same "$work/in" "$work/out"
}

null_values() {
    printf 'a:1\nb:\nc:3\n' | k -P -t kcat-null -p 0 -K: -Z || return 1
    k -C -t kcat-null -p 0 -o beginning -e -q -f '%k %S %s\n' -Z >"$work/out" || return 1
    printf 'a 1 1\nb -1 NULL\nc 1 3\n' >"$work/wanted"
    same "$work/wanted" "$work/out"
}

offset_of() { k -Q -t "kcat-none:0:$1" | sed 's/.*offset //'; }

offsets() {
    [ "$(offset_of -2)" = 0 ] && [ "$(offset_of -1)" = 200 ] && return
    echo "earliest $(offset_of -2), latest $(offset_of -1), not 0 and 200"
    return 1
}

offsets_by_time() {
    local time
    time=$(k -C -t kcat-none -p 0 -o 5 -c 1 -q -f '%T')
    local found
    found=$(offset_of "$time")
    # Several records can share the millisecond: the first of them is the answer.
    [ "$found" -le 5 ] && [ "$(k -C -t kcat-none -p 0 -o "$found" -c 1 -q -f %T)" = "$time" ] ||
        { echo "time $time is at offset $found"; return 1; }
    [ "$(offset_of 0)" = 0 ] || { echo "time 0 is at offset $(offset_of 0)"; return 1; }
    found=$(offset_of $((time + 3600000)))
    [ "$found" = -1 ] || { echo "an hour later is at offset $found"; return 1; }
}

tail_offset() {
    k -C -t kcat-none -p 0 -o -3 -e -q >"$work/out" || return 1
    seq 198 200 | sed 's/.*/value & of none, value & of none/' >"$work/wanted"
    same "$work/wanted" "$work/out"
}

# Two runs in one group: the second begins where the first has ended.
group() {
    local first second
    first=$(k -G kcat-group -X auto.offset.reset=earliest -c 150 -q kcat-none 2>/dev/null | wc -l)
    second=$(k -G kcat-group -X auto.offset.reset=earliest -c 50 -q kcat-none 2>/dev/null)
    [ "$first" = 150 ] || { echo "the first run read $first"; return 1; }
    seq 151 200 | sed 's/.*/value & of none, value & of none/' >"$work/wanted"
    echo "$second" >"$work/out"
    same "$work/wanted" "$work/out"
}

too_large() {
    head -c 1048600 /dev/urandom >"$work/big"
    refused 'Message size too large' k -P -t kcat-none -p 0 -X message.max.bytes=2000000 "$work/big"
}

unknown_topic() {
    echo x >"$work/in"
    refused 'Unknown topic' k -P -t kcat-nowhere -p 0 -X allow.auto.create.topics=false \
        -X topic.metadata.propagation.max.ms=300 "$work/in"
}

check metadata metadata
check create-automatically make_topic
for codec in none gzip snappy lz4 zstd; do
    check "produce-consume-$codec" produce_codec $codec
done
check produce-idempotent produce_idempotent
check produce-binary produce_binary
check null-values null_values
check offsets offsets
check offsets-by-time offsets_by_time
check consume-tail tail_offset
check group-goes-on group
check refuse-too-large too_large
check refuse-unknown-topic unknown_topic
check refuse-bad-partition refused 'Unknown partition' k -P -t kcat-none -p 99 "$work/in"
echo "skip configs: kcat has no admin calls"
echo "skip delete-records: kcat has no admin calls"
echo "skip delete-topic: kcat has no admin calls"
exit $((failures > 0))
