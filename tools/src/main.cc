// weir: the command.

#include "command.h"

int main(int argc, char** argv) { return weir::tools::run_command(argc, argv); }
