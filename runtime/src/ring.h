// A doubly linked ring: the head of a list, and its members. One that is alone links to itself.
#pragma once

namespace weir::rt {

struct ring {
  ring* prev = this;
  ring* next = this;

  ring() noexcept {}  // not constexpr: g++ 12 gets arrays of self-references wrong
  ring(const ring&) = delete;
  ring& operator=(const ring&) = delete;

  bool alone() const noexcept { return next == this; }
  // Makes `node`, which is alone, the next after this one.
  void insert(ring* node) noexcept {
    node->prev = this;
    node->next = next;
    next->prev = node;
    next = node;
  }
  void unlink() noexcept {
    prev->next = next;
    next->prev = prev;
    prev = next = this;
  }
};

}  // namespace weir::rt
