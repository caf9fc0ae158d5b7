// Player libraries are loaded when they are first wanted.

const loading = new Map();

// library resolves with the global that the classic script at src defines.
export function library(src, name) {
  if (!loading.has(src)) {
    loading.set(src, new Promise((resolve, reject) => {
      const script = document.createElement('script');
      script.src = src;
      script.onload = () => resolve(window[name]);
      script.onerror = () => {
        script.remove();
        loading.delete(src); // so that the next try is a new one
        reject(new Error(`${src} could not be loaded`));
      };
      document.head.append(script);
    }));
  }
  return loading.get(src);
}
