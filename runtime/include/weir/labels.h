// Labels and names of goroutines: what a program says about its own goroutines, for those who read
// its dumps. Go: pprof.Do and pprof.Labels.
//
//   weir::with_labels({{"tenant", tenant}, {"handler", "search"}}, [&] {
//     search(query);                        // shown with both labels in every dump and profile
//     weir::go([&] { prefetch(query); });   // and so are the goroutines that it starts
//   });
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weir {

namespace rt {
struct label_set;
}

// A key with its value; texts in UTF-8. The key has 1 to 64 bytes; of the value 256 are kept.
struct Label {
  std::string_view key;
  std::string_view value;
};

namespace detail {

// Adds labels to the calling goroutine for as long as it lives. And a mark, where it is not 0: a
// number that is inherited like a label, that no dump shows and no label replaces. By it a watcher
// knows the goroutines that descend from this one (introspect::has_mark).
class label_scope {
 public:
  explicit label_scope(std::span<const Label> labels, uint64_t mark = 0);
  ~label_scope();
  label_scope(const label_scope&) = delete;
  label_scope& operator=(const label_scope&) = delete;

 private:
  rt::label_set* former_;  // with the goroutine's reference
};

// The calling goroutine's innermost mark; 0: none.
uint64_t mark() noexcept;

}  // namespace detail

// Runs f() with these labels added to those that the calling goroutine has, and returns what f
// returns. A label replaces one of the same key; the last of `labels` wins. However f ends, by
// exception and goexit too, the labels are afterwards what they were before. Goroutines that f
// starts keep the labels of their start for life. Copies the texts (one allocation); values are cut
// to 256 bytes, never within a character. Never blocks; works on plain threads, too. Throws
// std::invalid_argument for a key of no or more than 64 bytes and for more than 32 labels in all,
// std::bad_alloc. Go: pprof.Do.
template <class F>
decltype(auto) with_labels(std::span<const Label> labels, F&& f) {
  detail::label_scope scope(labels);
  return std::forward<F>(f)();
}
template <class F>
decltype(auto) with_labels(std::initializer_list<Label> labels, F&& f) {
  detail::label_scope scope({labels.begin(), labels.size()});
  return std::forward<F>(f)();
}

// The value of the calling goroutine's (or plain thread's) label, as it was kept; nullopt where it
// has none of that key. Go: pprof.Label.
std::optional<std::string> label(std::string_view key);

// Names the calling goroutine (or plain thread, for weir's dumps alone): shown in dumps in place of
// the name that GoOptions gave it. The first 31 bytes are kept, never a part of a character; empty:
// no name. Never blocks. (Go has labels only.)
void set_goroutine_name(std::string_view name) noexcept;

}  // namespace weir
