# Puts the gdb extension into weir_runtime, so that every program that links weir carries it where gdb looks for it
# (section .debug_gdb_scripts: with the debug information, so that strip moves it along). One script is all that gdb
# takes there: this one makes the package's modules, in this order, of their texts.
set(WEIR_GDB_MODULES errors text machine memory layout goroutines readable names standing stacks look filters printing backtrace
                     commands core_writer install)
set(WEIR_GDB_SCRIPT ${CMAKE_CURRENT_BINARY_DIR}/weir_gdb_inlined.py)
set(script "import sys, types\n\n\
def _module(name, text):\n\
    module = sys.modules[name] = types.ModuleType(name)\n\
    package, _, own = name.rpartition('.')\n\
    if package:\n\
        setattr(sys.modules[package], own, module)\n\
    else:\n\
        module.__path__ = []\n\
    exec(compile(text, name.replace('.', '/') + '.py', 'exec'), module.__dict__)\n\n\
_module('weir_gdb', '')\n")
foreach(module ${WEIR_GDB_MODULES})
  set(file ${PROJECT_SOURCE_DIR}/tools/gdb/weir_gdb/${module}.py)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  if(text MATCHES "'''")
    message(FATAL_ERROR "${file}: ''' would end the text that it becomes")
  endif()
  string(APPEND script "_module('weir_gdb.${module}', r'''${text}''')\n")
endforeach()
string(APPEND script "sys.modules['weir_gdb.install'].install()\n")
file(CONFIGURE OUTPUT ${WEIR_GDB_SCRIPT} CONTENT "${script}" @ONLY)

target_sources(weir_runtime PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src/gdb_script.S)
set_source_files_properties(src/gdb_script.S PROPERTIES
  COMPILE_DEFINITIONS WEIR_GDB_SCRIPT="${WEIR_GDB_SCRIPT}" OBJECT_DEPENDS ${WEIR_GDB_SCRIPT})
target_link_options(weir_runtime INTERFACE LINKER:-u,weir_gdb_script)

install(FILES ${PROJECT_SOURCE_DIR}/tools/gdb/weir-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/weir/gdb)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/tools/gdb/weir_gdb DESTINATION ${CMAKE_INSTALL_DATADIR}/weir/gdb
  FILES_MATCHING PATTERN "*.py")
