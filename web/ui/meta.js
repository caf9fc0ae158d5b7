// meta is what the server wrote into the page under a name.
export const meta = (name) => document.querySelector(`meta[name=sluice-${name}]`).content;
