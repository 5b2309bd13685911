# SPDX-License-Identifier: MIT OR Apache-2.0
# plc_build_settings(TARGET): warnings and sanitizers, the same for every target of the project.
find_package(Threads REQUIRED)

function(plc_build_settings target)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion)
    if(PLC_WARNINGS_AS_ERRORS)
        target_compile_options(${target} PRIVATE -Werror)
    endif()
    if(PLC_SANITIZE)
        target_compile_options(${target} PRIVATE -fsanitize=${PLC_SANITIZE} -fno-omit-frame-pointer)
        target_link_options(${target} PRIVATE -fsanitize=${PLC_SANITIZE})
        if(PLC_SANITIZE MATCHES "undefined")
            target_compile_options(${target} PRIVATE -fno-sanitize-recover=undefined)
        endif()
        if(PLC_SANITIZE MATCHES "address" AND PLC_BUILD_PTHREAD)
            # A cancellation that comes as a signal unwinds frames without AddressSanitizer's knowledge: it would take what is called
            # next on that stack for stray accesses to them. Without the drop-in nothing is unwound like that.
            target_compile_options(${target} PRIVATE $<IF:$<C_COMPILER_ID:GNU>,--param=asan-stack=0,SHELL:-mllvm -asan-stack=0>)
        endif()
        if(PLC_SANITIZE MATCHES "thread")
            # Everything is instrumented here: announcing locks would only hide their inside.
            target_compile_definitions(${target} PRIVATE PLC_NO_TSAN_ANNOTATIONS)
            if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
                # It says that ThreadSanitizer does not know fences; what hands on data has orders of its own.
                target_compile_options(${target} PRIVATE -Wno-tsan)
            endif()
        endif()
    endif()
endfunction()

# plc_test_settings(TARGET OPTIMISATION): the same for a test's C++, with an optimisation of its own. Two thirds of what
# the tests cost would be the optimiser's work on code that runs for a moment; what is to be fast is in C.
function(plc_test_settings target optimisation)
    plc_build_settings(${target})
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${optimisation}> $<$<COMPILE_LANGUAGE:CXX>:-g1>)
endfunction()
