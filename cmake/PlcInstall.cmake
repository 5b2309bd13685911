# SPDX-License-Identifier: MIT OR Apache-2.0
# What `cmake --install` puts where: headers, libraries, find_package(plc) and pkg-config. Nothing installed holds an
# absolute path, so that the tree may be moved. (src/pthread installs the drop-in and plc-run.)
include(CMakePackageConfigHelpers)

set(PLC_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/plc)
set(PLC_PKGCONFIG_DIR ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(TARGETS plc plc_static EXPORT plc-targets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
if(TARGET plc_uv)
    install(TARGETS plc_uv plc_uv_static EXPORT plc-targets
            LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
install(DIRECTORY include/plc DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

install(EXPORT plc-targets NAMESPACE plc:: DESTINATION ${PLC_CMAKE_DIR})
configure_package_config_file(cmake/plcConfig.cmake.in ${PROJECT_BINARY_DIR}/plcConfig.cmake
                              INSTALL_DESTINATION ${PLC_CMAKE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/plcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/plcConfig.cmake ${PROJECT_BINARY_DIR}/plcConfigVersion.cmake
        DESTINATION ${PLC_CMAKE_DIR})

# The .pc files find their prefix from their own place; directories that were given as absolute paths stay absolute.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
    set(PLC_PC_PREFIX ${CMAKE_INSTALL_PREFIX})
else()
    file(RELATIVE_PATH PLC_PC_UP ${CMAKE_INSTALL_PREFIX}/${PLC_PKGCONFIG_DIR} ${CMAKE_INSTALL_PREFIX})
    string(REGEX REPLACE "/$" "" PLC_PC_UP ${PLC_PC_UP})
    set(PLC_PC_PREFIX "\${pcfiledir}/${PLC_PC_UP}")
endif()
foreach(directory INCLUDEDIR LIBDIR)
    if(IS_ABSOLUTE ${CMAKE_INSTALL_${directory}})
        set(PLC_PC_${directory} ${CMAKE_INSTALL_${directory}})
    else()
        set(PLC_PC_${directory} "\${prefix}/${CMAKE_INSTALL_${directory}}")
    endif()
endforeach()
set(PLC_PC_FILES plc)
if(TARGET plc_uv)
    list(APPEND PLC_PC_FILES plc-uv)
endif()
foreach(name ${PLC_PC_FILES})
    configure_file(cmake/${name}.pc.in ${PROJECT_BINARY_DIR}/${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${PLC_PKGCONFIG_DIR})
endforeach()

install(FILES LICENSE LICENSE-MIT LICENSE-APACHE README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
