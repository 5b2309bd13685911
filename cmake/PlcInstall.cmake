# SPDX-License-Identifier: MIT OR Apache-2.0
# What `cmake --install` puts where: headers, both libraries, find_package(plc) and pkg-config.
install(TARGETS plc plc_static EXPORT plc-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/plc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
