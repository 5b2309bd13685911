# SPDX-License-Identifier: MIT OR Apache-2.0
# The Rust peers: the standard library, and parking_lot where Debian's librust-parking-lot-dev is installed. Nothing is
# downloaded: cargo sees only Debian's registry.
option(PLC_BENCH_RUST "Measure Rust's locks too, if cargo is there" ON)
set(PLC_BENCH_CRATES /usr/share/cargo/registry CACHE PATH "Where Debian's Rust crates are")

if(NOT PLC_BENCH_RUST)
    return()
endif()
find_program(CARGO cargo HINTS $ENV{HOME}/.cargo/bin)
if(NOT CARGO)
    message(STATUS "plc: benchmarks without the Rust peers: no cargo (apt install cargo librust-parking-lot-dev)")
    return()
endif()

set(PLC_BENCH_RUST_DEPENDENCIES "")
set(rust_features "")
set(rust_registry "")

# bench_crate(FEATURE PACKAGE CRATE-VERSION... : DEPENDENCY...): a peer of Debian's crates, if they are all there.
macro(bench_crates feature package crates)
    set(all_there TRUE)
    foreach(crate ${crates})
        file(GLOB found ${PLC_BENCH_CRATES}/${crate}*)
        if(NOT found)
            set(all_there FALSE)
        endif()
    endforeach()
    if(all_there)
        list(APPEND PLC_BENCH_RUST_DEPENDENCIES ${ARGN})
        list(APPEND rust_features --features ${feature})
        set(rust_registry --config source.crates-io.replace-with="debian"
                          --config source.debian.directory="${PLC_BENCH_CRATES}")
        string(TOUPPER ${feature} upper)
        target_compile_definitions(plc_bench PRIVATE PLC_BENCH_HAS_${upper})
    else()
        message(STATUS "plc: benchmarks without ${feature} (apt install ${package})")
    endif()
endmacro()

bench_crates(parking_lot "librust-parking-lot-dev" "parking_lot-0.12" "parking_lot = \"0.12\"" "parking_lot_core = \"0.9\"")
set(tokio_features "[\"rt-multi-thread\", \"net\", \"io-util\", \"sync\"]")
bench_crates(tokio "librust-tokio-dev librust-atomic-waker-dev" "tokio-1;atomic-waker-1"
             "tokio = { version = \"1\", features = ${tokio_features} }" "atomic-waker = \"1\"")
list(JOIN PLC_BENCH_RUST_DEPENDENCIES "\n" PLC_BENCH_RUST_DEPENDENCIES)

# cargo writes a lock file beside the manifest, so it works on a copy.
set(rust_build ${CMAKE_CURRENT_BINARY_DIR}/rust)
file(GLOB rust_sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/peers/rust
     ${CMAKE_CURRENT_SOURCE_DIR}/peers/rust/*.rs ${CMAKE_CURRENT_SOURCE_DIR}/peers/rust/kernels/*.rs)
configure_file(peers/rust/Cargo.toml.in ${rust_build}/Cargo.toml @ONLY)
foreach(source ${rust_sources})
    configure_file(peers/rust/${source} ${rust_build}/${source} COPYONLY)
endforeach()
list(TRANSFORM rust_sources PREPEND ${rust_build}/)

set(rust_library ${rust_build}/target/release/libplc_bench_rust.a)
add_custom_command(OUTPUT ${rust_library}
                   COMMAND ${CARGO} build --quiet --release --offline ${rust_features} ${rust_registry}
                           --manifest-path ${rust_build}/Cargo.toml --target-dir ${rust_build}/target
                   DEPENDS ${rust_sources} ${rust_build}/Cargo.toml
                   WORKING_DIRECTORY ${rust_build} VERBATIM COMMENT "Building the Rust peers")
add_custom_target(plc_bench_rust DEPENDS ${rust_library})
add_dependencies(plc_bench plc_bench_rust)
target_sources(plc_bench PRIVATE peers/rust.cc)
target_link_libraries(plc_bench PRIVATE ${rust_library} ${CMAKE_DL_LIBS} m)
