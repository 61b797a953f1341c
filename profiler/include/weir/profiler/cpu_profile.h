// CpuProfiler: what uses the processors, sampled while it exists. Goroutines and plain threads
// alike, also those that know nothing of weir.
//
//   weir::profiler::CpuProfiler cpu;
//   work();
//   weir::profiler::write_pprof(cpu.stop(), sink);
#pragma once

#include <memory>

#include <weir/profiler/profile.h>

namespace weir::profiler {

class CpuProfiler {
 public:
  // Starts sampling each thread `hz` times for each second of processor time that it uses (1 to
  // 1000). Takes over SIGPROF, whose handler stays installed afterwards and does nothing. Throws
  // std::runtime_error: "cpu profiling already in use" while another one exists in the process, or
  // when SIGPROF has a handler of somebody else's; std::invalid_argument for hz.
  explicit CpuProfiler(int hz = 100);
  ~CpuProfiler();  // stops, if need be
  CpuProfiler(const CpuProfiler&) = delete;
  CpuProfiler& operator=(const CpuProfiler&) = delete;

  // Stops sampling and returns what was seen: values "samples" (count) and "cpu" (ns), with the
  // labels of goroutines (weir::with_labels). Blocks for some ms; not on a goroutine, whose stack
  // is too small for symbolization. Once.
  Profile stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::profiler
