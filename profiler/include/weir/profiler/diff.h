// Diff: what changed between two snapshots.
//
// Groups are matched by what they are, not by addresses: the functions and lines of the stack,
// what the goroutines wait for, and who created them. So a Diff is good for one process at two
// times, for two runs, and for two builds (lines = false). Either side may come from a dump of
// another program that has counts only.
//
// Pure functions over Snapshots; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/profiler/encode.h>
#include <weir/profiler/filter.h>
#include <weir/profiler/snapshot.h>

namespace weir::profiler {

struct DiffOptions {
  bool lines = true;  // tell lines of one function apart; false: for builds that differ
  bool wait = true;  // tell wait reasons and states apart, at the places where both sides know them
  bool creator = true;     // tell creators apart, where both sides have them
  bool labels = false;     // tell labels apart
  uint64_t threshold = 1;  // changes by fewer goroutines count as unchanged
  // Groups with a frame or creator that matches any of these are left out: RE2, at most 1000 bytes
  // each, searched for in functions and files.
  std::vector<std::string> ignore{};
  // Are both sides of one process, so that equal goids mean the same goroutine? Not given: decided
  // from the snapshots, see Diff::same_process.
  std::optional<bool> same_process{};
  std::string same_process_why{};  // a sentence, to go with it
};

enum class Change : uint8_t { fresh, gone, grown, shrunk, unchanged };  // fresh: "new"

struct Diff {
  struct Entry {
    Change change = Change::unchanged;
    uint64_t before = 0, after = 0;
    std::vector<uint32_t> old_groups, now_groups;  // by index into Snapshot::groups
    std::optional<uint64_t> site;  // of those of NOW (sites.h); not given: none, or several
    std::string wait;              // wait reason, else the state; empty: not known, or several
    bool thread = false;
    std::vector<Frame> stack;  // shown frames, innermost first; empty: not known
    bool truncated = false;
    Frame created_by;  // function empty: not known, or not told apart
    std::vector<std::pair<std::string, std::string>> labels;  // when told apart
    int64_t oldest_ns = -1;                                   // longest wait in NOW; -1: not known
    std::vector<uint64_t> stayed;  // goids in both; sorted. Empty unless same_process
  };
  std::vector<Entry> entries;  // what grew most first, what shrank most last; unchanged in between
  uint64_t before = 0, after = 0;  // goroutines and threads, ignored groups not counted
  uint64_t ignored = 0;            // groups that `ignore` left out, of both sides
  uint64_t old_left_out = 0, now_left_out = 0;        // as Snapshot::left_out
  bool old_truncated = false, now_truncated = false;  // as Snapshot::truncated
  bool same_process = false;
  std::string same_process_why;  // how that was decided, a sentence
  bool by_lines = false, by_wait = false, by_creator = false, by_labels = false;
  std::string old_process, now_process;
  int64_t old_taken_at_ns = 0, now_taken_at_ns = 0;  // wall clock; 0: not known
};

// Throws weir::profiler::error when a regular expression is not one.
Diff diff(const Snapshot& old, const Snapshot& now, const DiffOptions& options = {});

// About how much memory (bytes) the entries of a Diff take whose groups have nothing in common:
// each has a stack of its own, also where the groups of a Snapshot share one. To be asked of a dump
// that is not trusted, before it is compared.
size_t diff_bytes(const Snapshot& s);

// Are both of one process? As it is decided where DiffOptions::same_process is not given: to be
// asked before goroutines are filtered away that tell it.
struct SameProcess {
  bool is = false;
  std::string why;  // a sentence
};
SameProcess same_process(const Snapshot& old, const Snapshot& now);

// Both sides without what is not asked for. Query, states and labels are asked of each side's
// goroutines. Packages and site are asked of the entries of the Diff, which keep all of their
// goroutines if any group of either side passes: a dump that knows no creators, say, would pass on
// one side alone, and all would be new. The age is asked of the entries' oldest wait in NOW, so
// that none is "gone".
struct Sides {
  Snapshot old, now;
};
Sides filter_sides(Snapshot old, Snapshot now, const Filter& f, const DiffOptions& options = {});

enum class FailOn : uint8_t { growth, fresh, none };  // fresh: "new"
// Is that what was to be found? growth: any group is new or has grown; fresh: any is new.
bool fails(const Diff& d, FailOn on);

// How a Diff is shown to people.
struct DiffStyle {
  bool full_stacks = false;  // false: the frames in which stacks differ
  bool colour = false;       // for a terminal: text only
  bool links = false;        // likewise: file:line leads to the file (OSC 8)
  std::string host{};        // of these links: the name of this machine
  // Files below this directory are shown, and found below link_base, by the rest of their path.
  std::string source_root{};
  // Where files can be read: "https://github.com/you/project/blob/main/". Empty: Markdown has no
  // links, and those of a terminal lead to the files themselves.
  std::string link_base{};
  // Is there a source file of this relative path below source_root? Only those are linked; empty:
  // all are.
  std::function<bool(const std::string&)> is_source{};
};

// What grew first; groups that did not change in one line.
bool write_diff_text(const Diff& d, const Sink& sink, const DiffStyle& style = {});
// The same as a comment on a pull request: GitHub's Markdown, of at most kMaxMarkdown bytes; says
// what has been left out.
inline constexpr size_t kMaxMarkdown = 60'000;  // GitHub takes 65 536 characters
bool write_diff_markdown(const Diff& d, const Sink& sink, const DiffStyle& style = {});
// JSON, schema "weir.diff/1": src/diff_json.cc describes it. For DOT and SVG see
// call_graph_difference (call_graph.h) and draw.h.
bool write_diff_json(const Diff& d, const Sink& sink);

}  // namespace weir::profiler
