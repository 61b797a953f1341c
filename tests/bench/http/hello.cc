// An HTTP server that says hello, for comparison with hello.go: hello_weir ADDRESS
#include <weir/go.h>
#include <weir/http/server.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: hello_weir ADDRESS\n");
    return 2;
  }
  return weir::run([address = argv[1]] {
    weir::http::Mux mux;
    mux.handle("GET /hello", [](weir::http::ResponseWriter& w, weir::http::ServerRequest&) {
      w.write("hello, world\n");
    });
    weir::http::Server server(mux);
    server.listen_and_serve(address);
    return 0;
  });
}
