# The page (web/): built by npm into the build directory, and from there into weir_http.
#
# Sets WEIR_PAGE_SOURCES: the page's files as sources, or what stands in for them where there is no npm.
# Nothing is written into the source tree; npm gets the packages that web/package-lock.json names.
option(WEIR_PAGE "Build the page of the debug endpoint, where npm (Node.js 18 or newer) is installed" ON)

set(WEIR_PAGE_SOURCES src/page/no_files.cc)
set(WEIR_PAGE_BUILT OFF)
set(web ${PROJECT_SOURCE_DIR}/web)
set(web_build ${PROJECT_BINARY_DIR}/web)

if(WEIR_PAGE)
  find_program(WEIR_NPM npm)
  find_program(WEIR_NODE NAMES node nodejs)
  mark_as_advanced(WEIR_NPM WEIR_NODE)
  if(WEIR_NPM AND WEIR_NODE)
    execute_process(COMMAND ${WEIR_NODE} --version OUTPUT_VARIABLE node_version ERROR_QUIET
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(REGEX REPLACE "^v" "" node_version "${node_version}")
    if(node_version VERSION_GREATER_EQUAL 18)
      set(WEIR_PAGE_BUILT ON)
    endif()
  endif()
  if(NOT WEIR_PAGE_BUILT)
    message(STATUS "weir: no page at /debug/ui/: npm and Node.js 18 or newer are not installed (-DWEIR_PAGE=OFF is silent)")
  endif()
endif()

if(WEIR_PAGE_BUILT)
  file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${web}/src/*)
  list(APPEND web_sources ${web}/index.html ${web}/package.json ${web}/package-lock.json ${web}/.npmrc
       ${web}/tsconfig.json ${web}/vite.config.ts ${web}/embed.mjs)
  # The packages: only when the list of them has changed.
  add_custom_command(
    OUTPUT ${web_build}/packages.stamp
    COMMAND ${CMAKE_COMMAND} -E make_directory ${web_build}
    COMMAND ${CMAKE_COMMAND} -E copy ${web}/package.json ${web}/package-lock.json ${web}/.npmrc ${web_build}
    COMMAND ${CMAKE_COMMAND} -E chdir ${web_build} ${WEIR_NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
    COMMAND ${CMAKE_COMMAND} -E touch ${web_build}/packages.stamp
    DEPENDS ${web}/package.json ${web}/package-lock.json ${web}/.npmrc
    COMMENT "npm ci: what the page is built with (-DWEIR_PAGE=OFF builds without the page)"
    VERBATIM)
  add_custom_command(
    OUTPUT ${web_build}/page_files.cc ${web_build}/page_bytes.S
    BYPRODUCTS ${web_build}/page.bin
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${web_build}/src
    COMMAND ${CMAKE_COMMAND} -E copy_directory ${web}/src ${web_build}/src
    COMMAND ${CMAKE_COMMAND} -E copy ${web}/index.html ${web}/tsconfig.json ${web}/vite.config.ts ${web}/embed.mjs ${web_build}
    COMMAND ${CMAKE_COMMAND} -E chdir ${web_build} ${WEIR_NPM} run --silent build
    COMMAND ${WEIR_NODE} ${web_build}/embed.mjs ${web_build}/dist ${web_build}
    DEPENDS ${web_sources} ${web_build}/packages.stamp
    COMMENT "npm run build: the page"
    VERBATIM)
  # A target of its own: the page need not wait for what weir_http is linked with.
  add_custom_target(weir_page DEPENDS ${web_build}/page_files.cc ${web_build}/page_bytes.S)
  set(WEIR_PAGE_SOURCES ${web_build}/page_files.cc ${web_build}/page_bytes.S)
  set_property(SOURCE ${web_build}/page_bytes.S APPEND PROPERTY OBJECT_DEPENDS ${web_build}/page.bin)
endif()
# The tests drive it.
set(WEIR_PAGE_BUILT ${WEIR_PAGE_BUILT} PARENT_SCOPE)
