// The network: TCP, UDP and unix sockets for goroutines. Go: package net.
//
// Calls look as if they blocked, and block the goroutine alone: its OS thread runs others
// meanwhile, and wakes it when the network poller tells. Plain OS threads may make the same calls,
// also before weir::run.
#pragma once

// IWYU pragma: begin_exports
#include <weir/net/addr.h>
#include <weir/net/conn.h>
#include <weir/net/error.h>
#include <weir/net/listener.h>
#include <weir/net/packet_conn.h>
#include <weir/net/resolver.h>
// IWYU pragma: end_exports
