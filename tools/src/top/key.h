// Keys, as the model knows them, whatever the terminal sends for them.
#pragma once

#include <cstdint>
#include <string>

namespace weir::tools::top {

struct Key {
  enum class Code : uint8_t {
    text,  // a character, in `text`
    enter,
    escape,
    backspace,
    clear_line,  // Ctrl-U
    redraw,      // Ctrl-L
    tab,
    back_tab,
    up,
    down,
    page_up,
    page_down,
    home,
    end,
    other,
  };
  Code code = Code::other;
  std::string text{};  // UTF-8
};

}  // namespace weir::tools::top
