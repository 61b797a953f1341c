// Offsets: those of RuntimeLayout that a walk over all goroutines uses, looked up once.
#pragma once

#include <cstddef>

#include "runtime_layout.h"

namespace weir::profiler::post_mortem {

struct Offsets {
  explicit Offsets(const RuntimeLayout& of) : l(of) {}

  const RuntimeLayout& l;

  struct G {
    explicit G(const RuntimeLayout& l)
        : size(l["G.size"]),
          status(l["G.status"]),
          waitreason(l["G.waitreason"]),
          is_thread(l["G.is_thread"]),
          shown_name(l["G.shown_name"]),
          sp(l["G.sp"]),
          m(l["G.m"]),
          since(l["G.since"]),
          waitobj(l["G.waitobj"]),
          waitobj_count(l["G.waitobj_count"]),
          locked_m(l["G.locked_m"]),
          goid(l["G.goid"]),
          parent_goid(l["G.parent_goid"]),
          gopc(l["G.gopc"]),
          startpc(l["G.startpc"]),
          labels(l["G.labels"]),
          waits_for(l["G.waits_for"]),
          stack_lo(l["G.stack_lo"]),
          stack_hi(l["G.stack_hi"]),
          cpu_ticks(l["G.cpu_ticks"]),
          names(l["G.names"]),
          name_size(l["G.name.size"]),
          wait_context(l["G.wait_context"]),
          syscall_pc(l["G.syscall_pc"]),
          syscall_sp(l["G.syscall_sp"]),
          syscall_fp(l["G.syscall_fp"]) {}
    size_t size, status, waitreason, is_thread, shown_name, sp, m, since, waitobj, waitobj_count,
        locked_m, goid, parent_goid, gopc, startpc, labels, waits_for, stack_lo, stack_hi,
        cpu_ticks, names, name_size, wait_context, syscall_pc, syscall_sp, syscall_fp;
  } g{l};

  struct M {
    explicit M(const RuntimeLayout& l)
        : size(l["M.size"]), tid(l["M.tid"]), g0(l["M.g0"]), crash_context(l["M.crash_context"]) {}
    size_t size, tid, g0, crash_context;
  } m{l};

  struct Saved {
    explicit Saved(const RuntimeLayout& l)
        : pc(l["kSavedPc"]),
          fp(l["kSavedFp"]),
          size(l["kSavedSize"]),
          start_pc(l.address("weir_gostart") + l["kStartPcOffset"]),
          context_pc(l["ucontext.pc"]),
          context_sp(l["ucontext.sp"]),
          context_fp(l["ucontext.fp"]) {}
    size_t pc, fp, size;
    uint64_t start_pc;
    size_t context_pc, context_sp, context_fp;
  } saved{l};

  struct Status {
    explicit Status(const RuntimeLayout& l)
        : idle(l["Gidle"]),
          runnable(l["Grunnable"]),
          running(l["Grunning"]),
          syscall(l["Gsyscall"]),
          waiting(l["Gwaiting"]),
          dead(l["Gdead"]),
          copystack(l["Gcopystack"]),
          scan(l["Gscan"]) {}
    uint64_t idle, runnable, running, syscall, waiting, dead, copystack, scan;
  } status{l};

  struct Chan {
    explicit Chan(const RuntimeLayout& l)
        : size(l["hchan.size"]),
          refs(l["hchan.refs"]),
          dataqsiz(l["hchan.dataqsiz"]),
          qcount(l["hchan.qcount"]),
          closed(l["hchan.closed"]),
          sends(l["hchan.sends"]),
          recvs(l["hchan.recvs"]),
          made_pc(l["hchan.made_pc"]),
          timer(l["hchan.timer"]),
          timer_home(l["chan_timer.home"]),
          case_size(l["scase.size"]),
          case_c(l["scase.c"]),
          case_send(l["scase.send"]) {}
    size_t size, refs, dataqsiz, qcount, closed, sends, recvs, made_pc, timer, timer_home,
        case_size, case_c, case_send;
  } chan{l};

  struct Labels {
    explicit Labels(const RuntimeLayout& l)
        : size(l["label_set.size"]),
          count(l["label_set.count"]),
          entry_size(l["label_set::entry.size"]),
          at(l["label_set::entry.at"]),
          key_bytes(l["label_set::entry.key_bytes"]),
          value_bytes(l["label_set::entry.value_bytes"]) {}
    size_t size, count, entry_size, at, key_bytes, value_bytes;
  } labels{l};
};

}  // namespace weir::profiler::post_mortem
