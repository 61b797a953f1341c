// Sets of labels: immutable, reference-counted; a goroutine has one or none (G::labels).
//
// Who may touch G::labels: the goroutine itself, by exchange_labels; newproc1, before anybody knows
// the goroutine; goexit0. Each holds a reference for what it stores there. Others read it and take
// a reference of their own while the goroutine cannot let go of the set:
// - in a signal handler of the thread that runs the goroutine: what the field holds at any one
//   instruction has a reference, since the field changes by one store and the former reference is
//   given back after it;
// - while they hold the scan bit. A goroutine in a system call runs under it; so whoever changes
//   what a holder reads waits, after the store, until nobody holds the goroutine (await_holder).
// The name (G::names) changes by the same protocol: the text that is not shown is written, then
// shown by one store.
#pragma once

#include <weir/labels.h>

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "runtime2.h"

namespace weir::rt {

inline constexpr size_t kMaxLabels = 32;
inline constexpr size_t kMaxLabelKey = 64, kMaxLabelValue = 256;  // bytes

struct label_set {
  struct entry {
    uint32_t at;  // bytes from the set's start to the key, which the value follows
    uint16_t key_bytes, value_bytes;
  };
  std::atomic<uint64_t> refs;
  size_t count;  // entries, by key; they stand behind this, behind them the marks, then the texts
  size_t mark_count;  // outermost first

  const entry* entries() const noexcept { return reinterpret_cast<const entry*>(this + 1); }
  std::span<const uint64_t> marks() const noexcept {
    return {reinterpret_cast<const uint64_t*>(entries() + count), mark_count};
  }
  Label operator[](size_t i) const noexcept {
    const entry& e = entries()[i];
    const char* text = reinterpret_cast<const char*>(this) + e.at;
    return {{text, e.key_bytes}, {text + e.key_bytes, e.value_bytes}};
  }
};

[[gnu::always_inline]] inline void ref_labels(label_set* set) noexcept {
  set->refs.fetch_add(1, std::memory_order_relaxed);
}
// Frees it with the last reference.
void unref_labels(label_set* set) noexcept;

// The calling goroutine's last act with its labels: gives its reference back.
inline void drop_labels(G* gp) noexcept {
  if (label_set* set = gp->labels.load(std::memory_order_relaxed)) [[unlikely]] {
    gp->labels.store(nullptr, std::memory_order_relaxed);
    unref_labels(set);
  }
}

// What a goroutine keeps of `name`, into one of G::names that nobody reads.
void write_name(char* to, std::string_view name) noexcept;

}  // namespace weir::rt
