#define NCURSES_NOMACROS
#include "screen.h"

#include <curses.h>
#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <string_view>

#include "../failure.h"
#include "../output.h"
#include "restore.h"

namespace weir::tools::top {

namespace {

constexpr int kEndSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr int kNoteSignals[] = {SIGWINCH, SIGTSTP, SIGCONT};

std::atomic<int> g_end_by{0};
std::atomic<bool> g_resized{false}, g_suspend{false}, g_continued{false};
std::atomic<int> g_wake{-1};  // an eventfd, for the rest of the process

void on_end(int signal) {
  // One who asks twice does not want to wait.
  if (g_end_by.exchange(signal) != 0) restore::die_of(signal);
  Screen::wake();
}

void on_note(int signal) {
  (signal == SIGWINCH ? g_resized : signal == SIGTSTP ? g_suspend : g_continued).store(true);
  Screen::wake();
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  if (now.sa_handler == SIG_IGN) return;  // as nohup has it
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

// Where keys come from: stdin, or the terminal itself where stdin is a dump.
int open_input() {
  return isatty(STDIN_FILENO) ? dup(STDIN_FILENO) : open("/dev/tty", O_RDWR | O_CLOEXEC);
}

// A capability of the terminal without its padding.
std::string capability(const char* name) {
  const char* text = tigetstr(name);
  if (text == nullptr || text == reinterpret_cast<char*>(-1)) return {};
  std::string bytes;
  for (std::string_view rest = text; !rest.empty();) {
    if (rest.starts_with("$<") && rest.find('>') != rest.npos) {
      rest.remove_prefix(rest.find('>') + 1);
      continue;
    }
    bytes.push_back(rest.front());
    rest.remove_prefix(1);
  }
  return bytes;
}

// What ends what ncurses has begun: attributes and colours, keypad, cursor, alternate screen.
std::string restoring_bytes() {
  std::string bytes;
  for (const char* name : {"sgr0", "op", "rmkx", "cnorm", "rmcup"}) bytes += capability(name);
  return bytes.empty() ? "\n" : bytes;
}

short colour_of(Style style) {
  switch (style) {
    case Style::good:
      return COLOR_GREEN;
    case Style::warning:
      return COLOR_YELLOW;
    case Style::bad:
      return COLOR_RED;
    case Style::accent:
      return COLOR_CYAN;
    default:
      return -1;
  }
}

attr_t attributes_of(Style style) {
  switch (style) {
    case Style::dim:
      return A_DIM;
    case Style::strong:
    case Style::bad:
      return A_BOLD;
    case Style::heading:
      return A_BOLD | A_UNDERLINE;
    default:
      return A_NORMAL;
  }
}

constexpr short pair_of(Style style) { return static_cast<short>(static_cast<int>(style) + 1); }

Key::Code code_of(wint_t c) {
  switch (c) {
    case KEY_UP:
      return Key::Code::up;
    case KEY_DOWN:
      return Key::Code::down;
    case KEY_PPAGE:
      return Key::Code::page_up;
    case KEY_NPAGE:
      return Key::Code::page_down;
    case KEY_HOME:
      return Key::Code::home;
    case KEY_END:
      return Key::Code::end;
    case KEY_BTAB:
      return Key::Code::back_tab;
    case KEY_BACKSPACE:
      return Key::Code::backspace;
    case KEY_ENTER:
      return Key::Code::enter;
    default:
      return Key::Code::other;
  }
}

Key key_of(wint_t c) {
  switch (c) {
    case 0x1b:
      return {Key::Code::escape};
    case '\r':
    case '\n':
      return {Key::Code::enter};
    case '\b':
    case 0x7f:
      return {Key::Code::backspace};
    case '\t':
      return {Key::Code::tab};
    case 0x15:
      return {Key::Code::clear_line};
    case 0x0c:
      return {Key::Code::redraw};
    default:
      break;
  }
  if (c < 0x20) return {};
  char bytes[MB_LEN_MAX];
  mbstate_t state{};
  const size_t n = wcrtomb(bytes, static_cast<wchar_t>(c), &state);
  if (n == static_cast<size_t>(-1)) return {};
  return {Key::Code::text, std::string(bytes, n)};
}

}  // namespace

Charset charset_of_locale() {
  std::setlocale(LC_CTYPE, "");
  return std::string_view(nl_langinfo(CODESET)) == "UTF-8" ? Charset::utf8 : Charset::ascii;
}

std::string Screen::missing() {
  if (isatty(STDOUT_FILENO) != 1) return "stdout is no terminal";
  const char* term = std::getenv("TERM");
  if (term == nullptr || *term == '\0') return "TERM is not set";
  if (std::string_view(term) == "dumb") return "TERM is dumb: no text can be placed on it";
  return {};
}

Screen::Screen() : charset_(charset_of_locale()) {
  if (const std::string why = missing(); !why.empty()) throw Failure("top", why);
  if (g_wake < 0) g_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  input_ = open_input();
  if (input_ < 0) throw Failure("top", "there is no terminal to read keys from");
  termios modes{};
  if (tcgetattr(input_, &modes) != 0) throw Failure("top", "the terminal does not tell its modes");
  // Before ncurses, which leaves signals alone that have handlers.
  for (const int signal : kEndSignals) handle(signal, on_end);
  for (const int signal : kNoteSignals) handle(signal, on_note);
  FILE* const in = fdopen(input_, "r");
  SCREEN* const terminal = in == nullptr ? nullptr : newterm(nullptr, stdout, in);
  if (terminal == nullptr) {
    throw Failure("top", "the terminal \"" + clean(std::getenv("TERM"), Charset::ascii) +
                             "\" is not known: no entry of terminfo");
  }
  terminal_ = terminal;
  if (capability("cup").empty()) {
    endwin();
    throw Failure("top", "the terminal cannot place text");
  }
  restore::arm(input_, modes, restoring_bytes());
  set_escdelay(100);
  cbreak();
  noecho();
  nonl();
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  curs_set(0);
  if (use_colour(STDOUT_FILENO) && has_colors() && start_color() == OK) {
    colours_ = true;
    use_default_colors();
    for (int i = 0; i <= static_cast<int>(Style::accent); ++i) {
      const auto style = static_cast<Style>(i);
      init_pair(pair_of(style), colour_of(style), -1);
    }
  }
  refresh();
  restore::rearm();  // the modes are ours now
}

Screen::~Screen() {
  endwin();
  restore::end();
  for (const int signal : kEndSignals) ::signal(signal, SIG_DFL);
  for (const int signal : kNoteSignals) ::signal(signal, SIG_DFL);
  delscreen(static_cast<SCREEN*>(terminal_));
}

Size Screen::size() const {
  winsize now{};
  if (ioctl(input_, TIOCGWINSZ, &now) != 0 || now.ws_col == 0 || now.ws_row == 0) {
    return {static_cast<size_t>(std::max(COLS, 1)), static_cast<size_t>(std::max(LINES, 1))};
  }
  return {now.ws_col, now.ws_row};
}

void Screen::draw(const std::vector<Line>& lines) {
  const Size now = size();
  const auto rows = static_cast<int>(now.lines), columns = static_cast<int>(now.columns);
  if (rows != LINES || columns != COLS) resizeterm(rows, columns);
  erase();
  for (int y = 0; y < std::min(rows, static_cast<int>(lines.size())); ++y) {
    const Line& line = lines[static_cast<size_t>(y)];
    const attr_t mark = line.selected ? A_REVERSE : A_NORMAL;
    move(y, 0);
    for (const Span& span : line.spans) {
      attr_set(attributes_of(span.style) | mark, colours_ ? pair_of(span.style) : short{0},
               nullptr);
      addnstr(span.text.data(), static_cast<int>(span.text.size()));
    }
    if (!line.selected) continue;
    attr_set(mark, 0, nullptr);
    const auto used = static_cast<int>(std::min<size_t>(width(line.text()), now.columns));
    for (int x = used; x < columns; ++x) addch(' ');
  }
  attr_set(A_NORMAL, 0, nullptr);
  refresh();
}

void Screen::draw_anew() { clearok(curscr, TRUE); }

void Screen::wake() {
  const int saved = errno;
  const uint64_t one = 1;
  (void)!write(g_wake, &one, sizeof one);
  errno = saved;
}

Screen::Event Screen::wait(int64_t timeout_ns) {
  pollfd fds[] = {{input_, POLLIN, 0}, {g_wake, POLLIN, 0}};
  const int64_t ms = std::clamp<int64_t>(timeout_ns / 1'000'000 + 1, 0, 3'600'000);
  const int n = poll(fds, 2, static_cast<int>(ms));
  Event event;
  if (n > 0 && (fds[1].revents & POLLIN)) {
    uint64_t count;
    (void)!read(g_wake, &count, sizeof count);
  }
  if (g_suspend.exchange(false)) suspend();
  if (g_continued.exchange(false)) {
    // Stopped by what cannot be handled: the shell has set modes of its own.
    endwin();
    draw_anew();
    event.resized = true;
  }
  if (g_resized.exchange(false)) event.resized = true;
  if (n > 0 && (fds[0].revents & POLLIN)) read_keys(event);
  if (n > 0 && (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))) event.end_by = SIGHUP;
  if (const int signal = g_end_by; signal != 0) event.end_by = signal;
  return event;
}

void Screen::read_keys(Event& to) {
  constexpr size_t kMost = 256;  // at once: what is pasted must not keep signals waiting
  wint_t c = 0;
  while (to.keys.size() < kMost) {
    const int kind = get_wch(&c);
    if (kind == ERR) return;
    if (kind == KEY_CODE_YES) {
      if (c == KEY_RESIZE) {
        to.resized = true;
      } else {
        to.keys.push_back({code_of(c)});
      }
    } else {
      to.keys.push_back(key_of(c));
    }
  }
}

void Screen::suspend() {
  endwin();
  restore::disarm();
  ::signal(SIGTSTP, SIG_DFL);
  raise(SIGTSTP);  // until SIGCONT
  handle(SIGTSTP, on_note);
  g_continued = true;  // draw all of it, also where the stop was refused
  refresh();
  restore::rearm();
}

}  // namespace weir::tools::top
