#include "details.h"

#include <algorithm>
#include <string>

namespace weir::tools::top {

namespace {

using profiler::Frame;
using profiler::Snapshot;

constexpr size_t kIndent = 4, kMaxStacks = 8, kMaxFrames = 100, kMaxLabels = 16;

class Writer {
 public:
  Writer(size_t columns, Charset charset) : columns_(columns), charset_(charset) {}

  LineWriter& line() {
    flush();
    writer_.emplace(columns_, charset_);
    return writer_->gap(kIndent);
  }

  // "cause: a sentence that may take several lines"
  void words(std::string_view name, std::string_view text, Style style = Style::plain) {
    const size_t label = 10, indent = kIndent + label;
    if (text.empty() || columns_ <= indent + 10) return;
    bool is_first = true;
    for (const std::string& piece : wrapped(text, columns_ - indent - 1, charset_)) {
      line().left(is_first ? name : "", label, Style::dim).add(piece, style);
      is_first = false;
    }
  }

  // Functions in one column, their places beside them.
  void frames(const std::vector<Frame>& all) {
    size_t widest = 0;
    for (const Frame& f : all) widest = std::max(widest, width(clean(f.function, charset_)));
    const size_t room = columns_ > kIndent + 2 ? columns_ - kIndent - 2 : 0;
    const size_t functions = std::min(widest, room * 3 / 5);
    for (const Frame& f : all) {
      line().gap(2).left(f.function, functions, f.runtime ? Style::dim : Style::plain);
      // The end of a path tells more than its beginning.
      std::string place = clean(f.file, charset_);
      if (f.line > 0) place.append(":").append(std::to_string(f.line));
      const size_t rest = room > functions + 2 ? room - functions - 2 : 0;
      while (width(place) > rest && place.find('/') != place.npos) {
        place.erase(0, place.find('/') + 1);
      }
      writer_->gap(2).add(place, Style::dim);
    }
  }

  std::vector<Line> take() {
    flush();
    return std::move(lines_);
  }

 private:
  void flush() {
    if (writer_) lines_.push_back(writer_->take());
    writer_.reset();
  }

  const size_t columns_;
  const Charset charset_;
  std::optional<LineWriter> writer_;
  std::vector<Line> lines_;
};

// Of a group's stack, innermost first; without the runtime's where there are others.
std::vector<Frame> frames_of(const Snapshot& s, uint32_t stack) {
  std::vector<Frame> all, own;
  if (stack >= s.stacks.size()) return all;
  for (const uint32_t location : s.stacks[stack].locations) {
    if (location >= s.locations.size()) continue;
    for (const uint32_t f : s.locations[location].frames) {
      if (f >= s.frames.size() || s.frames[f].function.empty()) continue;
      all.push_back(s.frames[f]);
      if (!s.frames[f].runtime) own.push_back(s.frames[f]);
    }
  }
  return own.empty() ? all : own;
}

std::string place_of(const Frame& f) {
  const std::string place = short_place(f.file, f.line);
  return place.empty() ? f.function : f.function + "  " + place;
}

// "tenant=blue pool=a"
std::string labels_of(const profiler::Group& g) {
  std::string text;
  for (size_t i = 0; i < std::min(g.labels.size(), kMaxLabels); ++i) {
    text.append(i == 0 ? "" : " ").append(g.labels[i].first).append("=").append(g.labels[i].second);
  }
  return text;
}

void cut_frames(std::vector<Frame>& frames) {
  if (frames.size() <= kMaxFrames) return;
  const size_t more = frames.size() - kMaxFrames;
  frames.resize(kMaxFrames);
  frames.push_back({counted(more, "more frame"), "", 0, 0, true});
}

}  // namespace

std::vector<Line> row_details(const Sample& sample, const Row& row, size_t columns,
                              Charset charset) {
  const Snapshot& s = *sample.snapshot;
  Writer to(columns, charset);
  if (!row.created_by.function.empty()) to.words("created", place_of(row.created_by));
  // Groups that differ in labels alone have one stack.
  struct One {
    uint32_t stack = 0;
    uint64_t count = 0;
    int64_t oldest_ns = -1;
    std::string labels;
  };
  std::vector<One> stacks;
  for (const uint32_t index : row.groups) {
    const profiler::Group& g = s.groups[index];
    auto one = std::ranges::find(stacks, g.stack, &One::stack);
    if (one == stacks.end()) one = stacks.insert(one, {g.stack, 0, -1, labels_of(g)});
    one->count += g.count;
    one->oldest_ns = std::max(one->oldest_ns, g.oldest_ns);
  }
  std::ranges::stable_sort(stacks, std::ranges::greater{}, &One::count);
  uint64_t left_out = 0;
  for (size_t i = 0; i < stacks.size(); ++i) {
    const One& one = stacks[i];
    if (i >= kMaxStacks) {
      left_out += one.count;
      continue;
    }
    std::string head = counted(one.count, row.thread ? "thread" : "goroutine");
    if (stacks.size() > 1) {
      head = "stack " + std::to_string(i + 1) + " of " + count_text(stacks.size()) + ": " + head;
    }
    if (one.oldest_ns >= 0) head += ", longest " + duration_text(one.oldest_ns);
    to.line().add(head, Style::strong);
    if (!one.labels.empty()) to.words("labels", one.labels);
    std::vector<Frame> frames = frames_of(s, one.stack);
    cut_frames(frames);
    if (frames.empty()) to.line().gap(2).add("no stack", Style::dim);
    to.frames(frames);
  }
  if (left_out > 0) {
    to.line().add(
        counted(stacks.size() - kMaxStacks, "more stack") + " of " + counted(left_out, "goroutine"),
        Style::dim);
  }
  return to.take();
}

std::vector<Line> finding_details(const profiler::Finding& f, size_t columns, Charset charset) {
  Writer to(columns, charset);
  to.words("cause", f.cause, Style::strong);
  for (size_t i = 0; i < f.evidence.size(); ++i) to.words(i == 0 ? "evidence" : "", f.evidence[i]);
  to.words("try", f.fix);
  if (!f.created_by.function.empty()) to.words("created", place_of(f.created_by));
  if (!f.object.kind.empty()) {
    std::string object = f.object.kind;
    if (f.object.count > 1) object = count_text(f.object.count) + " different: " + object;
    if (!f.object.detail.empty()) object += ", " + f.object.detail;
    if (!f.object.url.empty()) object += ", " + f.object.method + " " + f.object.url;
    to.words("object", object);
    if (!f.object.made_at.function.empty()) to.words("", "made at " + place_of(f.object.made_at));
    for (const auto& [what, at] : f.object.places) to.words("", what + " at " + place_of(at));
  }
  if (!f.goids.empty()) {
    std::string goids;
    for (const uint64_t goid : f.goids) goids += (goids.empty() ? "" : ", ") + std::to_string(goid);
    to.words("ids", f.count > f.goids.size() ? goids + " .." : goids);
  }
  if (!f.stack.empty()) {
    std::vector<Frame> frames = f.stack;
    cut_frames(frames);
    to.line().add("stack of one of them", Style::strong);
    to.frames(frames);
  }
  return to.take();
}

}  // namespace weir::tools::top
