// The terminal: ncurses, and how it is given back. One at a time.
//
// However the process ends, the terminal is as it was: the destructor restores it; a signal that
// asks the process to end is told to the owner, who ends; a second one, and what kills at once
// (SIGSEGV, SIGABRT ..), restores it in the handler with nothing but write and tcsetattr. SIGKILL
// leaves no time: a guard, a small child, waits for the end of the process and restores the screen
// where nobody has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "key.h"
#include "layout.h"
#include "line.h"

namespace weir::tools::top {

class Screen {
 public:
  // Throws Failure where there is no terminal that can do it. LC_CTYPE is the user's from here on.
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Why there is none; empty: there is one.
  static std::string missing();

  Size size() const;
  Charset charset() const { return charset_; }
  void draw(const std::vector<Line>& lines);
  void draw_anew();  // everything, at the next draw

  // Waits for keys, signals and wake(), as long as timeout_ns at most.
  struct Event {
    bool resized = false;
    int end_by = 0;  // a signal asks for the end
    std::vector<Key> keys;
  };
  Event wait(int64_t timeout_ns);
  // From any thread, also after the end of the Screen.
  static void wake();

 private:
  void read_keys(Event& to);
  void suspend();

  Charset charset_ = Charset::ascii;
  bool colours_ = false;
  void* terminal_ = nullptr;  // SCREEN of ncurses
  int input_ = -1;
};

// What the locale of the environment says.
Charset charset_of_locale();

}  // namespace weir::tools::top
