// Signals (signals.h).

#include "signals.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <new>

#include "fatal.h"
#include "interrupt.h"
#include "sanitize.h"
#include "stack.h"
#include "sysmon.h"
#include "tls.h"

#if defined(WEIR_TSAN) && defined(__x86_64__)
asm(".text\n.p2align 4\nweir_sigreturn:\n\tmovq $15, %rax\n\tsyscall\n");
extern "C" void weir_sigreturn();
#endif

namespace weir::rt {

// ThreadSanitizer's wrapper would put our handler off until the thread's next instrumented call: a
// spinning goroutine would never answer.
void set_handler(int sig, void (*handler)(int, siginfo_t*, void*), struct sigaction* former) {
#if defined(WEIR_TSAN) && defined(__x86_64__)
  struct kernel_sigaction {
    void (*handler)(int, siginfo_t*, void*);
    unsigned long flags;
    void (*restorer)();
    unsigned long mask;
  } action = {handler, SA_SIGINFO | SA_ONSTACK | SA_RESTART | 0x04000000 /* SA_RESTORER */,
              weir_sigreturn, 0};
  if (former) sigaction(sig, nullptr, former);
  syscall(SYS_rt_sigaction, sig, &action, nullptr, 8);
#else
  struct sigaction action = {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(sig, &action, former);
#endif
}

namespace {

constexpr size_t kSignalStack = 64 << 10;

struct sigaction former_segv, former_bus;

void on_fault(int sig, siginfo_t* info, void* context) {
  const bool is_sent = info->si_code <= 0;  // by kill(2) and the like: there is no address
  G* gp = tls_getg();
  G* owner = is_sent ? nullptr : guard_owner(reinterpret_cast<uintptr_t>(info->si_addr));
  if (gp && owner == gp) {
    gp->m.load(std::memory_order_relaxed)->crash_context.store(context);
    begin_death();
    raw_print("runtime: goroutine stack exceeds ");
    raw_print_u64(class_bytes(gp->size_class));
    raw_print("-byte limit\nfatal error: stack overflow\n\n");
    dump_and_exit();
  }
  const struct sigaction& former = sig == SIGSEGV ? former_segv : former_bus;
  if (former.sa_flags & SA_SIGINFO) {
    former.sa_sigaction(sig, info, context);
  } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
    former.sa_handler(sig);
  } else {
    // Not ours: the instruction faults again, with the default action (a core dump).
    struct sigaction dfl = {};
    dfl.sa_handler = SIG_DFL;
    sigaction(sig, &dfl, nullptr);
    // No instruction does that for one that was sent: it comes when this handler has returned.
    if (is_sent) syscall(SYS_tgkill, getpid(), gettid(), sig);
  }
}

void on_quit(int, siginfo_t*, void*) { request_quit_dump(); }

void install_once(std::atomic<int>& state, void (*install)()) {
  int none = 0;
  if (state.load(std::memory_order_acquire) == 2) return;
  if (state.compare_exchange_strong(none, 1)) {
    install();
    state.store(2, std::memory_order_release);
  }
  while (state.load(std::memory_order_acquire) != 2) cpu_pause();
}

}  // namespace

int interrupt_signal() noexcept { return SIGRTMAX - 3; }

void install_signal_handlers() {
  static std::atomic<int> state{0};
  install_once(state, [] { set_handler(interrupt_signal(), on_interrupt, nullptr); });
}

void install_fatal_handlers() {
  static std::atomic<int> state{0};
  install_once(state, [] {
    set_handler(SIGSEGV, on_fault, &former_segv);
    set_handler(SIGBUS, on_fault, &former_bus);
    struct sigaction quit = {};
    sigaction(SIGQUIT, nullptr, &quit);
    if (quit.sa_handler == SIG_DFL) set_handler(SIGQUIT, on_quit, nullptr);
  });
}

void* install_signal_stack() {
  void* at =
      mmap(nullptr, kSignalStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) fatal_error("out of memory for a signal stack");
  stack_t stack = {};
  stack.ss_sp = at;
  stack.ss_size = kSignalStack;
  sigaltstack(&stack, nullptr);
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, interrupt_signal());
  sigaddset(&ours, SIGSEGV);
  sigaddset(&ours, SIGBUS);
  sigaddset(&ours, SIGPROF);  // sysmon, which may have started this thread, blocks all
  pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
  return at;
}

void remove_signal_stack(void* at) noexcept {
  stack_t none = {};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
  munmap(at, kSignalStack);
}

}  // namespace weir::rt
