// boost.fiber's side of the benchmarks, where it has the thing: the same programs as in ../weir,
// the same metric lines `name value unit`, one metric group per argument (none: all). It has
// neither select nor a profile of fibers nor a network poller.
//
//   WEIR_BENCH_MANY=N   fibers of the groups with very many, default a million; "parked" ends the
//   process

#include <thread>

#include "../bench.h"

int main(int argc, char** argv) {
  for (const bench::Group& group : bench::chosen(argc, argv)) {
    // A thread keeps its fiber scheduler for life: each group has a thread of its own.
    std::thread(group.run).join();
  }
}
