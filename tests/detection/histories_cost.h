// What History costs: milliseconds a sample and bytes, for 10 000 groups and 1 M goroutines.
#pragma once

namespace weir::detection {

int print_cost();

}  // namespace weir::detection
