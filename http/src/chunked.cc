#include "chunked.h"

#include <algorithm>

namespace weir::http {

namespace {
// What is no data is little beside it; who sends more means no good. So many bytes it may be beyond
// what is granted to each chunk (as Go counts).
constexpr uint64_t kMaxOverhead = 16 << 10;
constexpr uint64_t granted(uint64_t data) { return 16 + 2 * std::min<uint64_t>(data, 1 << 30); }
}  // namespace

ChunkDecoder::State ChunkDecoder::fail() noexcept {
  at_ = At::bad;
  return State::broken;
}

bool ChunkDecoder::step(char c) noexcept {
  if (++overhead_ > kMaxOverhead) return false;
  switch (at_) {
    case At::size: {
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit >= 0) {
        if (left_ >> 59) return false;
        left_ = left_ * 16 + static_cast<uint64_t>(digit);
        digits_ = true;
        return true;
      }
      if (!digits_) return false;
      at_ = c == '\r' ? At::size_lf : At::extension;
      return c == '\r' || c == ';' || c == ' ' || c == '\t';
    }
    case At::extension:
      if (c == '\r') at_ = At::size_lf;
      return c != '\n';
    case At::size_lf:
      at_ = left_ != 0 ? At::data : At::trailer;
      overhead_ -= std::min(overhead_, granted(left_));
      line_ = 0;
      return c == '\n';
    case At::data_cr:
      at_ = At::data_lf;
      return c == '\r';
    case At::data_lf:
      at_ = At::size;
      digits_ = false;
      return c == '\n';
    case At::trailer:
      if (c == '\n') {
        if (!cr_) return false;
        if (line_ == 1) at_ = At::done;
        line_ = 0;
        cr_ = false;
        return true;
      }
      if (cr_) return false;  // a CR within a line
      cr_ = c == '\r';
      ++line_;
      return true;
    default:
      return false;
  }
}

ChunkDecoder::State ChunkDecoder::next(std::string_view& bytes, size_t most,
                                       std::string_view& piece) noexcept {
  for (;;) {
    if (at_ == At::done) return State::end;
    if (at_ == At::bad) return State::broken;
    if (bytes.empty()) return State::more;
    if (at_ == At::data) {
      piece = bytes.substr(0, std::min<uint64_t>(left_, most));
      bytes.remove_prefix(piece.size());
      left_ -= piece.size();
      if (left_ == 0) at_ = At::data_cr;
      return State::data;
    }
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (!step(c)) return fail();
  }
}

}  // namespace weir::http
