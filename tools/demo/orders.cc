// The README's example: a service that loses a goroutine with every other order.

#include <weir/http/debug_server.h>
#include <weir/weir.h>

#include <cstdio>

// Asks for a price; whoever made an even order does not wait for it.
void price(int order) {
  auto answer = weir::make_chan<int>();  // make_chan<int>(1) would not leak
  weir::go([answer, order] { answer.send(order * 2); });
  if (order % 2 == 0) return;  // gave up: who receives the answer now?
  std::printf("order %d: %d\n", order, *answer.recv());
}

int main() {
  weir::http::serve_debug("127.0.0.1:6060");
  return weir::run([] {
    for (int order = 1; order <= 4; order++) price(order);
    weir::chan<int> shutdown = weir::make_chan<int>();
    shutdown.recv();
  });
}
