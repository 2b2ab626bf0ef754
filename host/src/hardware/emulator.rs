//! The programs that stand for chips on this machine.

/// An emulator of one family of chips.
///
/// All of them are QEMU's system emulators: they take `-machine`, `-icount`, semihosting and `-kernel` alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emulator {
    /// The program.
    pub program: &'static str,
    /// What installs it on Debian and Ubuntu.
    pub debian_package: &'static str,
    /// What helps somebody who lacks it, in one line.
    pub remedy: &'static str,
    /// `-icount shift`: an instruction takes 2 to this power nanoseconds of virtual time.
    pub icount_shift: u32,
}

/// Arm's Cortex-M. An instruction takes 64 ns: a tick of 40 ns is 5/8 of one, so that the clock resolves single instructions.
pub static QEMU_ARM: Emulator = Emulator {
    program: "qemu-system-arm",
    debian_package: "qemu-system-arm",
    remedy: "install QEMU's Arm emulator: `sudo apt-get install qemu-system-arm` (Debian, Ubuntu), \
             `sudo dnf install qemu-system-arm` (Fedora), `sudo pacman -S qemu-system-arm` (Arch), \
             `brew install qemu` (macOS)",
    icount_shift: 6,
};
