# SPDX-License-Identifier: MIT OR Apache-2.0
# Builds against musl with Debian's musl-tools: cmake --toolchain cmake/musl.cmake. There is no C++ library for it.
set(CMAKE_C_COMPILER musl-gcc)
set(PLC_BUILD_TESTS OFF CACHE BOOL "Needs GoogleTest, which is there for glibc only")
set(PLC_BUILD_EXAMPLES OFF CACHE BOOL "Some need C++")
set(PLC_UNWINDING OFF CACHE BOOL "musl's cancellation unwinds nothing, and Debian's unwinder is for glibc")
set(CMAKE_CXX_COMPILER "" CACHE STRING "None for musl")
