// chan<T>: Go's channel. A thin typed shell over the type-erased hchan.
//
// A chan is a shared handle: copies name the same channel, and the last one frees it. A
// default-made chan is nil: send and receive on it block for ever, close throws. All functions may
// be called from goroutines and from plain threads, at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <weir/detail/pc.h>
#include <weir/panic.h>

namespace weir {

class Context;

namespace rt {
struct hchan;

// What the core must know of an element.
struct elemtype {
  size_t size;
  size_t align;
  void (*move)(void* to, void* from) noexcept;  // move-constructs *to; *from stays to be destroyed
  void (*destroy)(void* at) noexcept;
};

template <class T>
inline constexpr elemtype kElemType = {
    sizeof(T), alignof(T),
    [](void* to, void* from) noexcept { new (to) T(std::move(*static_cast<T*>(from))); },
    [](void* at) noexcept { static_cast<T*>(at)->~T(); }};

enum class recv_status : uint8_t { not_ready, closed, value };

hchan* makechan(const elemtype& type, size_t capacity);
void chanref(hchan* c) noexcept;
void chanunref(hchan* c) noexcept;
bool chansend(hchan* c, void* elem, bool block);  // false: not ready (only when !block)
recv_status chanrecv(hchan* c, void* slot, bool block);
// Until ctx is done: false, not_ready.
bool chansend(hchan* c, void* elem, const Context& ctx);
recv_status chanrecv(hchan* c, void* slot, const Context& ctx);
void closechan(hchan* c);
size_t chanlen(const hchan* c) noexcept;
size_t chancap(const hchan* c) noexcept;

// The counted reference that all handles share.
class chan_ref {
 public:
  chan_ref() = default;
  explicit chan_ref(hchan* adopt) noexcept : c_(adopt) {}
  chan_ref(const chan_ref& o) noexcept : c_(o.c_) {
    if (c_) chanref(c_);
  }
  chan_ref(chan_ref&& o) noexcept : c_(std::exchange(o.c_, nullptr)) {}
  chan_ref& operator=(chan_ref o) noexcept {
    std::swap(c_, o.c_);
    return *this;
  }
  ~chan_ref() {
    if (c_) chanunref(c_);
  }
  hchan* get() const noexcept { return c_; }

 private:
  hchan* c_ = nullptr;
};

// how: whether to block (bool), or until which Context is done.
template <class T, class How>
std::optional<T> receive(hchan* c, const How& how) {
  alignas(T) unsigned char slot[sizeof(T)];
  if (chanrecv(c, slot, how) != recv_status::value) return std::nullopt;
  T* value = std::launder(reinterpret_cast<T*>(slot));
  std::optional<T> result(std::move(*value));
  value->~T();
  return result;
}

}  // namespace rt

namespace detail {

// What the three handle types share.
template <class T>
class chan_handle {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "weir::chan<T> needs an object type");
  static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>,
                "weir::chan<T> needs a T whose move constructor and destructor do not throw");

 public:
  using value_type = T;

  // Values buffered now (Go: len) and the size of the buffer (Go: cap). A nil channel has 0 of
  // both.
  size_t len() const noexcept { return rt::chanlen(ref_.get()); }
  size_t cap() const noexcept { return rt::chancap(ref_.get()); }
  // False for a nil channel.
  explicit operator bool() const noexcept { return ref_.get() != nullptr; }
  // The untyped channel, for select and for diagnostics.
  rt::hchan* core() const noexcept { return ref_.get(); }
  // Same channel?
  friend bool operator==(const chan_handle& a, const chan_handle& b) noexcept {
    return a.core() == b.core();
  }

 protected:
  chan_handle() = default;
  explicit chan_handle(rt::chan_ref ref) noexcept : ref_(std::move(ref)) {}
  rt::chan_ref ref_;
};

template <class Self, class T>
class send_ops {
 public:
  // Hands v to a receiver or puts it into the buffer. Blocks until there is room (wait reason
  // "chan send"); on a nil channel for ever. Throws panic_error when the channel is or gets closed.
  // Go: ch <- v.
  [[gnu::always_inline]] void send(T v) const {
    rt::chansend(target(), std::addressof(v), true);
    keep_frame();
  }

  // As send, until ctx is done at the latest. False: ctx was done first, or before; v was not sent.
  // Go: select over ch <- v and ctx.Done().
  [[nodiscard, gnu::always_inline]] bool send(const Context& ctx, T v) const {
    bool sent = rt::chansend(target(), std::addressof(v), ctx);
    keep_frame();
    return sent;
  }

  // As send, but never blocks: false, and v untouched, where send would block. Go: select with
  // default.
  bool try_send(T& v) const { return rt::chansend(target(), std::addressof(v), false); }
  bool try_send(T&& v) const { return rt::chansend(target(), std::addressof(v), false); }

  // No more values will come: receivers get what is buffered, then nullopt. Never blocks. Throws
  // panic_error on a nil or closed channel. Go: close(ch).
  void close() const { rt::closechan(target()); }

 private:
  rt::hchan* target() const { return static_cast<const Self*>(this)->core(); }
};

template <class Self, class T>
class recv_ops {
 public:
  // The next value, or nullopt once the channel is closed and drained. Blocks until then (wait
  // reason "chan receive"); on a nil channel for ever. Go: v, ok := <-ch.
  [[gnu::always_inline]] std::optional<T> recv() const { return rt::receive<T>(target(), true); }

  // As recv, until ctx is done at the latest: nullopt also where ctx was done first, or before,
  // which ctx.err() tells. Go: select over <-ch and ctx.Done().
  [[nodiscard, gnu::always_inline]] std::optional<T> recv(const Context& ctx) const {
    return rt::receive<T>(target(), ctx);
  }

  // As recv, but never blocks: nullopt also where recv would block. Go: select with default.
  std::optional<T> try_recv() const { return rt::receive<T>(target(), false); }

  // Receives until the channel is closed and drained. Go: for v := range ch.
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;

    explicit iterator(rt::hchan* c) : c_(c), value_(rt::receive<T>(c, true)) {}
    T& operator*() const { return *value_; }
    iterator& operator++() {
      // Not assigned: T need not be assignable.
      value_.reset();
      if (auto next = rt::receive<T>(c_, true)) value_.emplace(std::move(*next));
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return !value_; }

   private:
    rt::hchan* c_;
    mutable std::optional<T> value_;
  };
  iterator begin() const { return iterator(target()); }
  std::default_sentinel_t end() const { return {}; }

 private:
  rt::hchan* target() const { return static_cast<const Self*>(this)->core(); }
};

}  // namespace detail

// The receiving half of a channel. Go: <-chan T.
template <class T>
class recv_chan : public detail::chan_handle<T>, public detail::recv_ops<recv_chan<T>, T> {
 public:
  recv_chan() = default;
  explicit recv_chan(rt::chan_ref ref) noexcept : detail::chan_handle<T>(std::move(ref)) {}
};

// The sending half of a channel. Go: chan<- T.
template <class T>
class send_chan : public detail::chan_handle<T>, public detail::send_ops<send_chan<T>, T> {
 public:
  send_chan() = default;
  explicit send_chan(rt::chan_ref ref) noexcept : detail::chan_handle<T>(std::move(ref)) {}
};

// A channel of T. Go: chan T.
template <class T>
class chan : public detail::chan_handle<T>,
             public detail::send_ops<chan<T>, T>,
             public detail::recv_ops<chan<T>, T> {
 public:
  chan() = default;  // nil
  explicit chan(rt::chan_ref ref) noexcept : detail::chan_handle<T>(std::move(ref)) {}
  operator recv_chan<T>() const noexcept { return recv_chan<T>(this->ref_); }
  operator send_chan<T>() const noexcept { return send_chan<T>(this->ref_); }
};

// A new channel that buffers up to `capacity` values; with 0 a send waits for its receiver. Throws
// panic_error when the buffer would exceed the address space, std::bad_alloc when memory is short.
// Go: make(chan T, capacity).
template <class T>
[[gnu::always_inline]] inline chan<T> make_chan(size_t capacity = 0) {
  return chan<T>(rt::chan_ref(rt::makechan(rt::kElemType<T>, capacity)));
}

}  // namespace weir
