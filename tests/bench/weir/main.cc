// weir's side of the benchmarks: the same programs as in ../go and ../boost, the same metric lines
// `name value unit`, one metric group per argument (none: all).
//
//   WEIR_BENCH_MANY=N   goroutines of the groups with very many, default a million

#include <weir/weir.h>

#include "../bench.h"

int main(int argc, char** argv) {
  auto groups = bench::chosen(argc, argv);
  return weir::run([&] {
    for (const bench::Group& group : groups) group.run();
  });
}
