// Decompresses a body that comes piece by piece. (The library's own way takes half of a gzip file
// for all of it, and refuses one of several members.)
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct z_stream_s;

namespace weir::http {

class Gunzip {
 public:
  Gunzip();

  // Gives `to` what the bytes hold, piece by piece, until it says false: then so does this. Throws
  // BadBody where they are no gzip.
  bool write(std::string_view bytes, const std::function<bool(std::string)>& to);
  // No more is to come: of an empty body, and behind each member.
  bool at_end() const noexcept { return at_end_; }

 private:
  std::unique_ptr<z_stream_s, void (*)(z_stream_s*)> stream_;
  bool at_end_ = true;
};

}  // namespace weir::http
