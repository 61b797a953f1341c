// Labels and names of goroutines (labels.h).

#include "labels.h"

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "futex.h"
#include "sanitize.h"
#include "tls.h"

namespace weir {

namespace rt {

namespace {

// Its first `max` bytes, less the part of a character at the end.
std::string_view cut(std::string_view text, size_t max) noexcept {
  if (text.size() <= max) return text;
  size_t end = max;
  while (end > 0 && max - end < 3 && (text[end] & 0xc0) == 0x80) end--;
  return text.substr(0, (text[end] & 0xc0) == 0x80 ? max : end);
}

// Labels by key while a set is put together.
class Draft {
 public:
  explicit Draft(const label_set* from) {
    if (from) marks_ = from->marks();
    for (size_t i = 0; from && i < from->count; i++) labels_[count_++] = (*from)[i];
  }

  void add(const Label& label) {
    if (label.key.empty() || label.key.size() > kMaxLabelKey) {
      throw std::invalid_argument("weir::with_labels: a key of " +
                                  std::to_string(label.key.size()) + " bytes; 1 to 64 are allowed");
    }
    Label* end = labels_.data() + count_;
    Label* at = std::lower_bound(labels_.data(), end, label,
                                 [](const Label& a, const Label& b) { return a.key < b.key; });
    if (at == end || at->key != label.key) {
      if (count_ == kMaxLabels) {
        throw std::invalid_argument("weir::with_labels: more than 32 labels");
      }
      std::move_backward(at, end, end + 1);
      count_++;
    }
    *at = {label.key, cut(label.value, kMaxLabelValue)};
  }

  // With one reference. `mark`: 0, or one that it has besides.
  label_set* make(uint64_t mark) const {
    const size_t mark_count = marks_.size() + (mark != 0);
    const size_t marks_at = sizeof(label_set) + count_ * sizeof(label_set::entry);
    const size_t head = marks_at + mark_count * sizeof(uint64_t);
    size_t bytes = head;
    for (size_t i = 0; i < count_; i++) bytes += labels_[i].key.size() + labels_[i].value.size();
    void* memory = operator new(bytes);
    auto* set = new (memory) label_set{};
    set->count = count_;
    set->mark_count = mark_count;
    auto* marks = reinterpret_cast<uint64_t*>(static_cast<char*>(memory) + marks_at);
    marks = std::uninitialized_copy(marks_.begin(), marks_.end(), marks);
    if (mark != 0) new (marks) uint64_t(mark);
    auto* entries = reinterpret_cast<label_set::entry*>(set + 1);
    size_t at = head;
    for (size_t i = 0; i < count_; i++) {
      const auto& [key, value] = labels_[i];
      new (&entries[i])
          label_set::entry{static_cast<uint32_t>(at), static_cast<uint16_t>(key.size()),
                           static_cast<uint16_t>(value.size())};
      for (const std::string_view text : {key, value}) {
        std::copy(text.begin(), text.end(), static_cast<char*>(memory) + at);
        at += text.size();
      }
    }
    set->refs.store(1, std::memory_order_relaxed);
    sanitizer_release(set);
    return set;
  }

 private:
  std::span<const uint64_t> marks_;
  std::array<Label, kMaxLabels> labels_;
  size_t count_ = 0;
};

// What a holder of the scan bit reads was changed by the goroutine itself: returns when nobody can
// have read the former value and still be at it. Does not spin but in a system call.
void await_holder(const G* gp) noexcept {
  for (int spins = 1; gp->status.load(std::memory_order_seq_cst) & Gscan; spins++) {
    if (spins % 100 == 0) sched_yield();
    cpu_pause();
  }
}

}  // namespace

void unref_labels(label_set* set) noexcept {
  if (set->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) operator delete(set);
}

void write_name(char* to, std::string_view name) noexcept {
  name = cut(name, introspect::kMaxName);
  std::copy(name.begin(), name.end(), to);
  to[name.size()] = 0;
}

}  // namespace rt

namespace detail {

label_scope::label_scope(std::span<const Label> labels, uint64_t mark) {
  rt::G* gp = rt::getg();
  rt::label_set* now = gp->labels.load(std::memory_order_relaxed);
  rt::label_set* next = now;
  if (labels.empty() && mark == 0) {
    if (now) rt::ref_labels(now);
  } else {
    rt::Draft draft(now);
    for (const Label& label : labels) draft.add(label);
    next = draft.make(mark);
  }
  former_ = gp->labels.exchange(next, std::memory_order_seq_cst);
}

label_scope::~label_scope() {
  rt::G* gp = rt::getg();
  rt::label_set* ours = gp->labels.exchange(former_, std::memory_order_seq_cst);
  rt::await_holder(gp);
  if (ours) rt::unref_labels(ours);
}

uint64_t mark() noexcept {
  const rt::label_set* set = rt::getg()->labels.load(std::memory_order_relaxed);
  return set && set->mark_count != 0 ? set->marks().back() : 0;
}

}  // namespace detail

std::optional<std::string> label(std::string_view key) {
  if (const rt::label_set* set = rt::getg()->labels.load(std::memory_order_relaxed)) {
    for (size_t i = 0; i < set->count; i++) {
      if ((*set)[i].key == key) return std::string((*set)[i].value);
    }
  }
  return std::nullopt;
}

void set_goroutine_name(std::string_view name) noexcept {
  rt::G* gp = rt::getg();
  const int next = !gp->shown_name.load(std::memory_order_relaxed);
  rt::write_name(gp->names[next], name);
  gp->shown_name.store(next != 0, std::memory_order_seq_cst);
  rt::await_holder(gp);  // who reads the name that the next call overwrites
}

// --- for observers ---

namespace introspect {

size_t label_count(const LabelSet* set) noexcept {
  rt::sanitizer_acquire(set);  // introspect.cc handed it over
  return set->count;
}

Label label_at(const LabelSet* set, size_t i) noexcept { return (*set)[i]; }

bool has_mark(const LabelSet* set, uint64_t mark) noexcept {
  rt::sanitizer_acquire(set);
  return std::ranges::find(set->marks(), mark) != set->marks().end();
}

void unref_labels(const LabelSet* set) noexcept {
  rt::sanitizer_acquire(set);
  rt::unref_labels(const_cast<LabelSet*>(set));
}

}  // namespace introspect

}  // namespace weir
