// One member of a group for tests/faults/groups: what it says is described in
// tests/faults/group_member.py. `suite member ADDRESS GROUP TOPIC PROTOCOL`.
package main

import (
	"context"
	"encoding/json"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"
)

const clockMonotonic = 1

// monotonic is the machine's monotonic clock, as all others say it.
func monotonic() float64 {
	var now syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return float64(now.Sec) + float64(now.Nsec)/1e9
}

func say(event ...any) {
	must(json.NewEncoder(os.Stdout).Encode(event))
}

// commitRead commits what was read; a refusal is part of life here.
func commitRead(ctx context.Context, client *kgo.Client, topic string) {
	offsets := map[string]int64{}
	for partition, offset := range client.UncommittedOffsets()[topic] {
		offsets[strconv.Itoa(int(partition))] = offset.Offset
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if len(offsets) > 0 && client.CommitUncommittedOffsets(ctx) == nil {
		say("committed", monotonic(), offsets)
	}
}

func runMember(address, group, topic, protocol string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	forever := context.Background()
	options := append([]kgo.Opt{
		kgo.SeedBrokers(address), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.FetchMaxWait(100 * time.Millisecond), kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, all map[string][]int32) {
			say("given", monotonic(), append([]int32{}, all[topic]...))
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, _ map[string][]int32) {
			commitRead(ctx, client, topic)
		}),
	}, protocols[protocol]...)
	client := got(kgo.NewClient(options...))
	for nextCommit := time.Now(); ctx.Err() == nil; client.AllowRebalance() {
		poll, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		client.PollFetches(poll).EachRecord(func(record *kgo.Record) {
			say("read", record.Partition, record.Offset)
		})
		cancel()
		if time.Now().After(nextCommit) {
			commitRead(forever, client, topic)
			nextCommit = time.Now().Add(200 * time.Millisecond)
		}
	}
	commitRead(forever, client, topic)
	client.CloseAllowingRebalance()
}
