/** What to install where no GPU answers, or only one that the processor plays. */

const LINUX = [
  'A Vulkan loader and the driver of the GPU:',
  '  Debian, Ubuntu  apt install libvulkan1 mesa-vulkan-drivers',
  '  Fedora          dnf install vulkan-loader mesa-vulkan-drivers',
  '  Arch            pacman -S vulkan-icd-loader vulkan-radeon (or vulkan-intel)',
  '  NVIDIA          the loader, and NVIDIA’s driver, which brings Vulkan',
  '  in a container  pass the GPU in; NVIDIA: NVIDIA_DRIVER_CAPABILITIES=all',
  'If VK_DRIVER_FILES is set, it has to name the JSON file of a driver.',
]

const ADVICE: Readonly<Record<string, readonly string[]>> = {
  darwin: ['Metal is part of macOS: update macOS. A virtual machine needs a GPU that is passed in.'],
  linux: LINUX,
  win32: ['Direct3D 12 is part of Windows: install the newest driver of the GPU’s vendor.'],
}

const ELSEWHERE = ['Dawn, the library for the GPU, runs on Linux, macOS and Windows only.']

/** Lines. `platform` is Node's name of it. */
export function gpuAdvice(platform: string): readonly string[] {
  return ADVICE[platform] ?? ELSEWHERE
}
