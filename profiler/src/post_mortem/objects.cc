#include "objects.h"

namespace weir::profiler::post_mortem {

using introspect::ObjectKind;

size_t object_size(const RuntimeLayout& layout, ObjectKind kind) {
  switch (kind) {
    case ObjectKind::chan:
      return layout["hchan.size"];
    case ObjectKind::mutex:
      return layout["Mutex.size"];
    case ObjectKind::rwmutex:
      return layout["RWMutex.size"];
    case ObjectKind::waitgroup:
      return layout["WaitGroup.size"];
    case ObjectKind::cond:
      return layout["Cond.size"];
    case ObjectKind::semaphore:
      return layout["Semaphore.size"];
    case ObjectKind::io:
      return layout["io_info.size"];
    case ObjectKind::http_body:
      return layout["http_body.size"];
    case ObjectKind::none:
      break;
  }
  return 0;
}

void read_object(const RuntimeLayout& l, ObjectKind kind, const Record& from, introspect::Object& o,
                 introspect::Goroutine& g) {
  switch (kind) {
    case ObjectKind::mutex:
      o.made_pc = from.pointer(l["Mutex.made_pc_"]);
      o.owner_goid = from.word(l["Mutex.owner_"]);
      o.lock_pc = from.pointer(l["Mutex.lock_pc_"]);
      break;
    case ObjectKind::rwmutex: {
      o.made_pc = from.pointer(l["RWMutex.made_pc_"]);
      o.owner_goid = from.word(l["RWMutex.owner_"]);
      o.lock_pc = from.pointer(l["RWMutex.lock_pc_"]);
      o.rlock_pc = from.pointer(l["RWMutex.rlock_pc_"]);
      auto n = from.get<int32_t>(l["RWMutex.reader_count_"]);
      // A writer holds the lock or waits; in the end for these readers.
      if (n < 0) n = o.owner_goid != 0 ? 0 : from.get<int32_t>(l["RWMutex.reader_wait_"]);
      o.readers = n > 0 ? static_cast<uint64_t>(n) : 0;
      break;
    }
    case ObjectKind::waitgroup:
      o.made_pc = from.pointer(l["WaitGroup.made_pc_"]);
      o.counter = static_cast<int32_t>(from.word(l["WaitGroup.state_"]) >> 32);
      o.adds = from.word(l["WaitGroup.adds_"]);
      o.dones = from.word(l["WaitGroup.dones_"]);
      o.add_pc = from.pointer(l["WaitGroup.add_pc_"]);
      o.done_pc = from.pointer(l["WaitGroup.done_pc_"]);
      break;
    case ObjectKind::cond:
      o.made_pc = from.pointer(l["Cond.made_pc_"]);
      o.waiters = from.get<uint32_t>(l["Cond.waiters_"]);
      o.signals = from.word(l["Cond.signals_"]);
      o.signal_pc = from.pointer(l["Cond.signal_pc_"]);
      break;
    case ObjectKind::semaphore:
      o.made_pc = from.pointer(l["Semaphore.made_pc_"]);
      o.cap = from.word(l["Semaphore.size_"]);
      o.len = from.word(l["Semaphore.taken_"]);
      o.waiters = from.get<uint32_t>(l["Semaphore.waiters_"]);
      o.signals = from.word(l["Semaphore.releases_"]);
      o.signal_pc = from.pointer(l["Semaphore.release_pc_"]);
      break;
    case ObjectKind::io:
      o.made_pc = from.pointer(l["io_info.made_pc"]);
      o.fd = from.get<int>(l["io_info.fd"]);
      from.text(l["io_info.network"], l["io_info.network.size"], g.io_network);
      from.text(l["io_info.local"], l["io_info.local.size"], g.io_local);
      from.text(l["io_info.remote"], l["io_info.remote.size"], g.io_remote);
      break;
    case ObjectKind::http_body:
      o.made_pc = from.pointer(l["http_body.made_pc"]);
      o.status = from.get<int>(l["http_body.status"]);
      from.text(l["http_body.method"], l["http_body.method.size"], g.http_method);
      from.text(l["http_body.url"], l["http_body.url.size"], g.http_url);
      break;
    case ObjectKind::chan:
    case ObjectKind::none:
      break;
  }
}

}  // namespace weir::profiler::post_mortem
