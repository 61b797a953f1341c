// The one friend of the public primitives: lets those who look from outside at their private state.
#pragma once

#include <weir/introspect.h>

#include <span>

#include <weir/post_mortem.h>

namespace weir {

class Mutex;
class RWMutex;
class WaitGroup;
class Cond;
class Semaphore;

struct rt_access {
  // introspect.cc
  static void read(const Mutex* mu, introspect::Object& o) noexcept;
  static void read(const RWMutex* rw, introspect::Object& o) noexcept;
  static void read(const WaitGroup* wg, introspect::Object& o) noexcept;
  static void read(const Cond* cond, introspect::Object& o) noexcept;
  static void read(const Semaphore* sem, introspect::Object& o) noexcept;
  // layout.cc
  struct offsets;
};

}  // namespace weir
