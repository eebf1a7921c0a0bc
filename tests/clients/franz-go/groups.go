// Groups through kgo and kadm: members come and go, in the classic protocol and in the consumer
// protocol (KIP-848), and go on where they were.
package main

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	groupPartitions = 6
	groupRecords    = 300
)

// member is a consumer that subscribes, in a goroutine of its own, and what it has read.
type member struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
	mutex  sync.Mutex
	owned  map[int32]bool
	read   map[string]int
	twice  string
}

var protocols = map[string][]kgo.Opt{
	"sticky":      {kgo.Balancers(kgo.StickyBalancer())},
	"range":       {kgo.Balancers(kgo.RangeBalancer())},
	"cooperative": {kgo.Balancers(kgo.CooperativeStickyBalancer())},
	"consumer":    {kgo.ServerSideBalancer()},
}

func join(group, name, protocol string, more ...kgo.Opt) *member {
	m := &member{done: make(chan struct{}), owned: map[int32]bool{}, read: map[string]int{}}
	options := []kgo.Opt{
		kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(name),
		kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, all map[string][]int32) {
			m.own(all[name], true)
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, c *kgo.Client, all map[string][]int32) {
			c.CommitUncommittedOffsets(ctx)
			m.own(all[name], false)
		}),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, all map[string][]int32) {
			m.own(all[name], false)
		}),
	}
	options = append(options, protocols[protocol]...)
	m.client = got(kgo.NewClient(append(options, more...)...))
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	go m.run(ctx)
	return m
}

func (m *member) run(ctx context.Context) {
	defer close(m.done)
	for ctx.Err() == nil {
		fetches := m.client.PollFetches(ctx)
		fetches.EachRecord(m.take)
		m.client.AllowRebalance()
	}
}

func (m *member) take(record *kgo.Record) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	where := fmt.Sprintf("%d/%d", record.Partition, record.Offset)
	if _, is := m.read[where]; is {
		m.twice = where
	}
	m.read[where], _ = strconv.Atoi(string(record.Value))
}

func (m *member) own(partitions []int32, is bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, partition := range partitions {
		if is {
			m.owned[partition] = true
		} else {
			delete(m.owned, partition)
		}
	}
}

// close leaves the group; what was read is committed.
func (m *member) close(ctx context.Context) {
	m.cancel()
	<-m.done
	must(m.client.CommitUncommittedOffsets(ctx))
	m.client.CloseAllowingRebalance()
	equal(m.twice, "", "a record that came twice to one member")
}

func (m *member) count() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.read)
}

func (m *member) partitions() []int32 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var all []int32
	for partition := range m.owned {
		all = append(all, partition)
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	return all
}

func share(members []*member) bool {
	seen := map[int32]bool{}
	sum := 0
	for _, m := range members {
		owned := m.partitions()
		if len(owned) == 0 {
			return false
		}
		sum += len(owned)
		for _, partition := range owned {
			seen[partition] = true
		}
	}
	return sum == groupPartitions && len(seen) == groupPartitions
}

func until(ctx context.Context, what string, holds func() bool) {
	for !holds() {
		if ctx.Err() != nil {
			fail("%s did not happen in time", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func valuesOf(members ...*member) []int {
	var all []int
	for _, m := range members {
		m.mutex.Lock()
		for _, value := range m.read {
			all = append(all, value)
		}
		m.mutex.Unlock()
	}
	sort.Ints(all)
	return all
}

func isRange(values []int, from, to int, what string) {
	equal(len(values), to-from, what)
	for i, value := range values {
		equal(value, from+i, what)
	}
}

func produceNumbers(ctx context.Context, name string, first, count int) {
	c := got(kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())))
	defer c.Close()
	for index := first; index < first+count; index++ {
		c.Produce(ctx, &kgo.Record{Topic: name, Partition: int32(index % groupPartitions),
			Value: []byte(strconv.Itoa(index))}, nil)
	}
	must(c.Flush(ctx))
}

// ---- checks ---------------------------------------------------------------------------------

func groupGoesOn(ctx context.Context, protocol string) {
	name := "groups-resume-" + protocol
	create(ctx, name, groupPartitions)
	produceNumbers(ctx, name, 0, groupRecords)
	first := join(name, name, protocol)
	until(ctx, "reading all", func() bool { return first.count() >= groupRecords })
	isRange(valuesOf(first), 0, groupRecords, "what was read")
	first.close(ctx)
	produceNumbers(ctx, name, groupRecords, 60)
	second := join(name, name, protocol)
	until(ctx, "reading the rest", func() bool { return second.count() >= 60 })
	isRange(valuesOf(second), groupRecords, groupRecords+60, "the rest")
	second.close(ctx)
}

func groupShares(ctx context.Context, protocol string) {
	name := "groups-share-" + protocol
	create(ctx, name, groupPartitions)
	var members []*member
	for count := 1; count <= 3; count++ {
		members = append(members, join(name, name, protocol))
		until(ctx, fmt.Sprint(count, " members share"), func() bool { return share(members) })
	}
	produceNumbers(ctx, name, 0, groupRecords)
	until(ctx, "reading all", func() bool { return len(valuesOf(members...)) >= groupRecords })
	isRange(valuesOf(members...), 0, groupRecords, "records, each once")
	members[0].close(ctx)
	members[1].close(ctx)
	last := members[2:]
	until(ctx, "the last one has all", func() bool { return share(last) })
	before := last[0].count()
	produceNumbers(ctx, name, groupRecords, 60)
	until(ctx, "reading the rest", func() bool { return last[0].count() >= before+60 })
	last[0].close(ctx)
}

func groupAdmin(ctx context.Context) {
	name := "groups-admin"
	create(ctx, name, groupPartitions)
	produceNumbers(ctx, name, 0, 60)
	one := join(name, name, "range", kgo.ClientID("it"), kgo.InstanceID("fixed"))
	until(ctx, "reading all", func() bool { return one.count() >= 60 })
	must(one.client.CommitUncommittedOffsets(ctx))
	listed := got(admin.ListGroups(ctx))[name]
	equal(listed.State, "Stable", "the listed state")
	described := got(admin.DescribeGroups(ctx, name))[name]
	must(described.Err)
	equal(described.State, "Stable", "the described state")
	equal(described.Members[0].ClientID, "it", "the client's id")
	equal(*described.Members[0].InstanceID, "fixed", "the instance")
	for _, lag := range got(admin.Lag(ctx, name)) {
		must(lag.Error())
		equal(lag.Lag.Total(), 0, "the lag")
	}
	one.close(ctx)
	equal(len(got(admin.DescribeGroups(ctx, name))[name].Members), 1, "members, the static one stays")
	left := got(admin.LeaveGroup(ctx, kadm.LeaveGroup(name).InstanceIDs("fixed")))
	must(left.Error())
	must(admin.CommitAllOffsets(ctx, name, kadm.OffsetsFromRecords(kgo.Record{Topic: name, Partition: 3, Offset: 3})))
	offsets := got(admin.FetchOffsets(ctx, name))
	at, _ := offsets.Lookup(name, 3)
	equal(at.At, 4, "the moved offset")
	at, _ = offsets.Lookup(name, 2)
	equal(at.At, 10, "the offset")
	must(got(admin.DeleteGroup(ctx, name)).Err)
	_, is := got(admin.ListGroups(ctx))[name]
	equal(is, false, "still listed")
}

func checkGroups() {
	for _, protocol := range []string{"range", "sticky", "cooperative", "consumer"} {
		check("group-goes-on-"+protocol, func(ctx context.Context) { groupGoesOn(ctx, protocol) })
		check("group-shares-"+protocol, func(ctx context.Context) { groupShares(ctx, protocol) })
	}
	check("group-admin", groupAdmin)
}
