// groups: of a snapshot what a person is shown first, and little more: how many goroutines are
// where, with names and lines but without the goroutines themselves. Some megabytes where a
// snapshot of a million goroutines takes hundreds. Who wants to know more of a group or of a
// goroutine picks it.
//
// A group has an id, made of what is shown of it: the same in all snapshots of a program, also of
// its next process. Pure functions over Snapshots; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler {

// By index into Snapshot::groups. Groups that look the same have one id.
std::vector<uint64_t> group_ids(const Snapshot& s);

// JSON, schema "weir.groups/1": src/encode_groups.cc describes it. Groups with one id are one.
bool write_groups_json(const Snapshot& s, const Sink& sink);

// Of the groups with that id the `most` goroutines that have waited longest; nothing of all the
// others but their number (left_out). Needs members.
Snapshot pick_group(Snapshot s, uint64_t id, size_t most);

// A goroutine, its creators up to the first one that still lives, who owns what it waits for and
// whom those wait for, and at most `most` others that wait for the same. Needs objects. Nobody is
// in it where there is no such goroutine.
Snapshot pick_goroutine(Snapshot s, uint64_t goid, size_t most);

}  // namespace weir::profiler
