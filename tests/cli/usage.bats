load helper

@test "without a command: the list of commands, exit code 2" {
    fails 2 "Commands:" fvm
}

@test "help and version" {
    run fvm --version
    [ "$status" = 0 ] && [[ $output == "fvm "* ]]
    for verb in run create ls inspect diff cp rm check events; do
        run fvm $verb --help
        [ "$status" = 0 ] && [[ $output == *"Usage: fvm $verb"* ]]
        run fvm help $verb
        [ "$status" = 0 ] && [[ $output == *"Usage: fvm $verb"* ]]
    done
}

@test "unknown commands and options are named" {
    fails 2 "no command frobnicate" fvm frobnicate
    fails 2 "no command frobnicate" fvm help frobnicate
    fails 2 "no option --frob" fvm ls --frob
    fails 2 "no option -x" fvm rm -x a
    fails 2 "option --base of fvm create needs a value" fvm create --base
}

@test "missing and surplus arguments" {
    fails 2 "argument is missing" fvm create
    fails 2 "too many arguments" fvm create a b
    fails 2 "argument is missing" fvm rm
    fails 2 "argument is missing" fvm cp a
    fails 2 "program is missing" fvm run
    fails 2 "program is missing" fvm run --
    fails 2 "program is missing" fvm run dev
    fails 2 "only the VM's name" fvm run a b -- true
    fails 2 "--rm is for a VM" fvm run --rm dev -- true
    fails 2 "VAR=VALUE" fvm run -e FOO -- true
}

@test "help that cannot be written is a failure" {
    [ -e /dev/full ] || skip
    run bash -c "'$FVM' help >/dev/full"
    [ "$status" = 1 ]
}
